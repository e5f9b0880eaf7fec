"""Venue text in, protocol messages out: one module a venue, parse only.

Imported by tools that play or convert market data. No sockets, no files, no clock: lines are
handed in. What is not turned into a message is counted under a named reason, never an exception.
"""
