"""Errors, frame geometry and progress. Standard library only."""
