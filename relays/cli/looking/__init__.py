"""The parts of status, top and why: relays' states, put into words or onto a screen."""
