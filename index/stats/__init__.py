"""Statistics and top-k that merge in any order; pure functions of arrays."""
