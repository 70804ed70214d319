"""Schemas of responses: what the API returns, as pydantic models, for the service and its clients."""
