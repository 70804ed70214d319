"""Readers of a finished store: images, layers, units, patches, maxima, features and thumbnails."""

from .store import Store

__all__ = ["Store"]
