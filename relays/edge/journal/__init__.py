"""The journal's edge: its directory, the thread that writes it, the reader of its history."""
