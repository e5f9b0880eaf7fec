"""What several commands need: options, Ctrl-C, and instruments as people write them."""
