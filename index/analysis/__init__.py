"""Compute from a finished store on demand: classes, histograms, correlations, similar units."""
