"""Questions to a store, answered for both the API and the pages."""
