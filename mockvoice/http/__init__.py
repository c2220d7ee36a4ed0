"""The life of a request, from the first byte received to the last one sent."""
