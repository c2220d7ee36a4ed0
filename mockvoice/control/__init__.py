"""The control API: inspect and change the state of a mock over HTTP."""
