"""Smoke tests of the measurements, never the measurements."""
