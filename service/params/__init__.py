"""Dependencies of routes: query parameters that several of them share."""
