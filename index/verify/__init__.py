"""Verification of a store and of what was built from it, against the hashes in their manifests."""
