"""Finding the feature of a network: the vector that its classifier reads."""
