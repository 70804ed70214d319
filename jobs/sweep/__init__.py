"""Sweeping: shards of images through a network, merged into a finished store."""
