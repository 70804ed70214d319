"""Projections of features to the plane (UMAP, t-SNE, PCA), and their grids."""
