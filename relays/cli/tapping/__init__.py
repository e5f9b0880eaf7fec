"""The parts of `relays tap`: what it reads, picks, and puts out."""
