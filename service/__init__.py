"""The query service and its pages. Knows neither torch nor Ray: it is up in seconds, and never busy with a model."""
