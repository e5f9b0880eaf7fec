"""One relay as a process, and what it is told."""
