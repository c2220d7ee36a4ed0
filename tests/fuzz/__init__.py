"""Fuzz tests of parsers that read untrusted bytes."""
