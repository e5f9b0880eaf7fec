"""One module a target: TARGET says what is run on an input, and where inputs begin."""
