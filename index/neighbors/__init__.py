"""Nearest neighbours: exact search, the approximate index, and the graph of all neighbours."""
