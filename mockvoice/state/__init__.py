"""The state of a sandbox."""
