"""What the README calls: setup, demo, test, bench. Nothing in the product imports from here."""
