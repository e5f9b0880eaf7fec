"""The bytes: codecs, checksums, the scan."""
