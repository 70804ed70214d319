"""Colours of overlays, chosen so that people with any colour vision tell them apart. Pure."""

import numpy as np

# M. A. Petroff 2021, 10 colours
_SERIES = "#3f90da #ffa90e #bd1f01 #94a4a2 #832db6 #a96b59 #e76300 #b9ac70 #717581 #92dadd"
_ORDERED = "#440154 #482878 #3e4a89 #31688e #26828e #1f9e89 #35b779 #6ece58 #b5de2b #fde725"  # viridis
_ENDS = "#0072b2 #d9d9d9 #d55e00"  # blue and vermilion of Okabe and Ito 2008

MARK = (255, 122, 30)
MISSING = ((24, 24, 24), (150, 150, 150))
"""The two colours of the stripes that stand for a missing value."""


def _parse(text: str) -> np.ndarray:
    return np.array([[int(one[place : place + 2], 16) for place in (1, 3, 5)] for one in text.split()], float)


SERIES = _parse(_SERIES).astype(np.uint8)
"""(10, 3) uint8: one colour for each class."""


def ordered(shares: np.ndarray) -> np.ndarray:
    """Return (…, 3) uint8: from dark to light. shares: (…,) from 0 to 1."""
    return _between(_parse(_ORDERED), shares)


def two_ended(shares: np.ndarray) -> np.ndarray:
    """Return (…, 3) uint8: from blue by gray to vermilion. shares: (…,) from 0 to 1."""
    return _between(_parse(_ENDS), shares)


def hexadecimal(colour: np.ndarray | tuple[int, int, int]) -> str:
    """Return `#rrggbb`."""
    return "#" + "".join(f"{int(part):02x}" for part in colour)


def _between(stops: np.ndarray, shares: np.ndarray) -> np.ndarray:
    places = np.linspace(0, 1, len(stops))
    channels = [np.interp(shares, places, channel) for channel in stops.T]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
