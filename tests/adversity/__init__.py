"""Crashes, floods and hostile peers."""
