"""What one isolated mock remembers."""
