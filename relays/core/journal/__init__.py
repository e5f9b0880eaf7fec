"""The journal: the log's frames on disk, byte for byte, in segment files (README.md here).

What is in here is pure: it makes and reads bytes and decides. Files, directories and the writing
thread are in `relays.edge.journal`; what runs once per frame or commit is in `protocol._core`.
"""
