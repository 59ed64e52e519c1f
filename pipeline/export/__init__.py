"""Exports: series of a store as files that other programs open, one file or folder a track."""
