"""Readers of a finished store: images, layers, units, patches, maxima, features and thumbnails."""
