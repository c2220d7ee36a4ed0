"""Audio detection and synthesis."""
