"""Queries about the atlases of a store, answered for both the API and the pages."""
