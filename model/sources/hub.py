"""Weights from Hugging Face's hub: without a network they come from its cache, at once, or not at all."""

from collections.abc import Generator
from contextlib import contextmanager
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from huggingface_hub import constants

SECONDS = 5.0
"""That the hub may take for its first answer."""


@contextmanager
def cached_if_unreachable() -> Generator[None]:
    """Use only the cache inside the block if the hub cannot be reached: its client retries for most of a minute."""
    before = constants.HF_HUB_OFFLINE
    if not before and not is_reachable():
        constants.HF_HUB_OFFLINE = True  # pyright: ignore[reportConstantRedefinition]
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before  # pyright: ignore[reportConstantRedefinition]


def is_reachable() -> bool:
    """Return whether the hub answers anything within SECONDS."""
    request = Request(constants.ENDPOINT, method="HEAD", headers={"User-Agent": "unitscope"})
    try:
        with urlopen(request, timeout=SECONDS):
            return True
    except HTTPError:
        return True
    except OSError:
        return False
