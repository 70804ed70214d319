"""Checks that a network can be swept."""
