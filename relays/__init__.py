"""The relays: three daemons that fan messages out over Unix sockets, and their clients.

Imported by everybody; holds the version and nothing else. Imports inside this package go one
way: domains, config <- core <- edge <- cli (tests/test_layering.py).
"""

__version__ = "0.1.0"
