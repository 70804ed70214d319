"""Building from a finished store: indexes, atlases, samples of activations."""
