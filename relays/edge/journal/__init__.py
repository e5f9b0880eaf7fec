"""The journal's files: opened, made, written and removed. What their bytes mean, and what follows
from them, is `relays.core.journal`'s, whose README.md has the format.
"""
