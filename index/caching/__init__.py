"""Caches in memory: bounded in bytes, made once, and reads that may use nothing else."""
