"""The commands, the demo, several relays together."""
