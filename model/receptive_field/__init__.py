"""Receptive fields: which pixels a position can depend on, and which it does depend on."""
