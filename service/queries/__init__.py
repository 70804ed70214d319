"""Queries: what the API and the pages ask of a store, joined to the schemas that they return."""
