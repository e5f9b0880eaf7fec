"""The parts of `relays convert`: recordings in, every line of them accounted for."""
