"""Generated tests of the vendors, run from a checkout against the mock."""
