"""Coverage-guided fuzzing of everything that reads bytes of others; see README.md."""
