"""Taking values from a network while it runs: each unit's maximum, whole maps, the feature."""
