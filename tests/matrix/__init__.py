"""One story with each official SDK and with other clients, in their pinned versions."""
