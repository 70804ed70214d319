"""Explanations of a store's images and units, made with the network that it was swept with."""
