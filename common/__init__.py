"""What every package stands on: the exception tree, the geometry of preprocessing, progress."""
