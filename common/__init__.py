"""Ground that every package stands on: the exception tree and the geometry of preprocessing. Imports nothing of ours."""
