"""The relays under a recorded session for a long time: nothing grows. Run by `scripts/soak`."""
