"""Labels of a dataset: what they are, which of them are the model's classes, and images that have several."""
