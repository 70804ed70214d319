"""The merge: from committed shards to the store's tables."""
