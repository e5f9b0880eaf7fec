"""Nothing for Python: `slot` is called by `record` from compiled code."""
