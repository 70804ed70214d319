"""The pictures of the demo: scenes of ten classes, drawn from random numbers."""
