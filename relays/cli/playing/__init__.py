"""The parts of publish and replay: files in, messages to a relay in their time, a report."""
