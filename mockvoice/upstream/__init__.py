"""Live services: forward requests to them, compare them with the mock, record and replay them."""
