"""A local server that behaves like four voice-cloning APIs."""

__version__ = "0.1.0"
