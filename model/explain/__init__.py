"""Explanations of a network: what in an image decides about a class or a unit, and what a unit looks for."""
