"""The layers of a network: which there are, what kind they are, which are swept by default, their filters."""
