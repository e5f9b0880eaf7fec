"""Parts of `relays journal`: which journal, which messages of it, and how they are told."""
