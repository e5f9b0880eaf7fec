"""Tests of the journal: its files, its recovery, and what of it clients and tools see."""
