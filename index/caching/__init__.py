"""Caches in memory: bounded in bytes, made once, and reads that may use nothing else."""

from .cache import ByteCache
from .cached_only import NotCachedError, cached_only
from .once import OnceCache

__all__ = ["ByteCache", "NotCachedError", "OnceCache", "cached_only"]
