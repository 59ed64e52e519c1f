"""Tests of glaciolake.models."""
