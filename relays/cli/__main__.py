"""`python -m relays.cli`: the same as the command `relays`."""

from relays.cli import main

main()
