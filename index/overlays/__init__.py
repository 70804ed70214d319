"""Colors, clusters and selections over an atlas."""
