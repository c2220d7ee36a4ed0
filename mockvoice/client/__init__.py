"""Python client for the control API."""
