"""The tests, one folder a claim: wire, daemon, client, adversity, system, bench."""
