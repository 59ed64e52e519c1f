"""Glacial lakes of the Himalaya on Sentinel-1: every pass, per track, exactly once."""

__version__ = "0.1.0"
