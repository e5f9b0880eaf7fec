"""The units, the installer and what watches them, under a real systemd (deploy/README.md)."""
