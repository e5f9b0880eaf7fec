"""Programs in C and Rust that speak the protocol through alphapulse.h and alphapulse.rs only.

Compiled and run by tests/wire/test_export.py. `golden.c` and `golden.rs` are written by hand;
`programs` writes the part that names every field.
"""
