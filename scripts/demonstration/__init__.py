"""The demonstration behind `scripts/demo`: three relays and everybody who uses them, on one screen.

    player --market_data--> strategy --signals--> portfolio --execution--> engine
                                                       ^-------fills----------'

Each is a process, and so is a verifier per relay that checks every frame. Read `session` for the
order of things, `strategy` for what a user's program looks like. Nothing in the product imports
from here.
"""
