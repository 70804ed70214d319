"""The stores that are served: opened, opened again when they change, and their addresses."""
