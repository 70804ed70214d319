"""Atlases of images, units and activations: layout, tiles, and their files."""
