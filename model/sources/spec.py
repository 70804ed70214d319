"""Parses the names that models are asked for by. No I/O, and torch is not imported.

    torchvision:NAME[@WEIGHTS]           DEFAULT, a tag such as IMAGENET1K_V2, or random
    timm:NAME[.TAG][@random]             timm's own names and tags; no tag means timm's default tag
    hf:FOLDER or hf:REPOSITORY[@random]  an image classifier of the transformers library, with its image processor
    path/to/file.py:FACTORY[@own|@random]
    package.module:FACTORY[@own|@random]

`@random` asks for untrained weights, made from a fixed seed. `@own` says that the factory returns a trained
network itself.
"""

import re
from dataclasses import dataclass
from typing import Literal

from ...common.errors import ModelSpecError

Source = Literal["torchvision", "timm", "hf", "file", "module"]
LIBRARIES = ("torchvision", "timm", "hf")

RANDOM = "random"
OWN = "own"

FORMS = (
    "torchvision:alexnet@DEFAULT, timm:resnet18.a1_in1k, hf:microsoft/resnet-18, path/to/file.py:factory or "
    "package.module:factory "
    "(with @random for untrained weights, @own for a factory that loads its weights itself)"
)

_TIMM_PATHS = ("hf-hub:", "hf_hub:", "local-dir:")
# Greedy, so that folders may hold spaces, colons and at signs; the factory holds none of them.
_FILE = re.compile(r"(?P<place>.+\.py):(?P<factory>[^:@/\\]*)(?:@(?P<weights>[^@:/\\]*))?", re.DOTALL)
_MODULE = re.compile(
    r"(?P<place>[^\W\d]\w*(?:\.[^\W\d]\w*)*):(?P<factory>[^:@/\\]*)(?:@(?P<weights>[^@:/\\]*))?"
)
_BARE_FILE = re.compile(r".+\.py(?:@[^@:/\\]*)?", re.DOTALL)


@dataclass(frozen=True)
class ModelSpec:
    """What a model's name says.

    name: the library's name (timm's with its tag, a folder or repository for hf), or PLACE:FACTORY.
    weights: a tag, "random", "own", or None where the name says nothing about weights.
    """

    source: Source
    name: str
    weights: str | None = None

    @property
    def place(self) -> str:
        """The file or module of a factory; the library's name otherwise."""
        return self.name.rpartition(":")[0] if self.source in ("file", "module") else self.name

    @property
    def factory(self) -> str:
        """The factory's name; empty for libraries."""
        return self.name.rpartition(":")[2] if self.source in ("file", "module") else ""

    def __str__(self) -> str:
        library = f"{self.source}:" if self.source in LIBRARIES else ""
        in_name = self.source == "timm" and self.weights not in (None, RANDOM)
        return library + self.name + (f"@{self.weights}" if self.weights and not in_name else "")


def parse_spec(text: str) -> ModelSpec:
    """Return the model that `text` names.

    Raises ModelSpecError where it follows none of the forms; whether the model exists is not looked at.
    """
    text = text.strip()
    library, colon, rest = text.partition(":")
    if colon and library == "torchvision":
        return _parse_torchvision(rest, text)
    if colon and library == "timm":
        return _parse_timm(rest, text)
    if colon and library == "hf":
        return _parse_hf(rest, text)
    match = _FILE.fullmatch(text) or _MODULE.fullmatch(text)
    if match is not None:
        return _factory(match, text)
    if _BARE_FILE.fullmatch(text):
        raise ModelSpecError(f"{text!r} names a file but no factory in it: write FILE.py:FACTORY")
    hint = f"; for torchvision's model write torchvision:{text}" if re.fullmatch(r"\w+(@\w+)?", text) else ""
    raise ModelSpecError(f"{text!r} names no model{hint}. Allowed: {FORMS}")


def _parse_torchvision(rest: str, text: str) -> ModelSpec:
    name, at, weights = rest.partition("@")
    if not re.fullmatch(r"\w+", name) or (at and not re.fullmatch(r"\w+", weights)):
        raise ModelSpecError(
            f"{text!r} is not of the form torchvision:NAME@WEIGHTS, as in torchvision:alexnet@DEFAULT"
        )
    if weights == OWN:
        raise ModelSpecError(
            f"{text!r}: @own is for factories; name torchvision's weights, as in torchvision:{name}@DEFAULT"
        )
    return ModelSpec("torchvision", name, weights or None)


def _parse_timm(rest: str, text: str) -> ModelSpec:
    name, at, weights = rest.rpartition("@")
    if rest.startswith(_TIMM_PATHS):
        # What follows is a path or a repository, perhaps with its own @revision: only @random is ours.
        return ModelSpec("timm", name, RANDOM) if at and weights == RANDOM else ModelSpec("timm", rest)
    if not at:
        name, weights = rest, ""
    if not re.fullmatch(r"\w[\w.\-]*", name):
        raise ModelSpecError(
            f"{text!r} is not of the form timm:NAME, as in timm:resnet18 or timm:resnet18.a1_in1k"
        )
    if at and weights != RANDOM:
        raise ModelSpecError(
            f"{text!r}: timm's weights are named by a tag after a dot, as in timm:resnet18.a1_in1k; "
            f"after @ only {RANDOM!r} is allowed, not {weights!r}"
        )
    return ModelSpec("timm", name, RANDOM if at else name.partition(".")[2] or None)


def _parse_hf(rest: str, text: str) -> ModelSpec:
    name, at, weights = rest.rpartition("@")
    name = name if at and weights == RANDOM else rest
    if not name.strip() or "\0" in name:
        raise ModelSpecError(
            f"{text!r} is not of the form hf:FOLDER or hf:REPOSITORY, as in hf:microsoft/resnet-18; "
            f"hf:FOLDER@{RANDOM} takes untrained weights"
        )
    return ModelSpec("hf", name, RANDOM if name != rest else None)


def _factory(match: re.Match[str], text: str) -> ModelSpec:
    place, factory, weights = match["place"], match["factory"], match["weights"]
    if not factory.isidentifier():
        raise ModelSpecError(
            f"{text!r} names no factory after {place!r}: write {place}:FACTORY, a function's name"
        )
    if weights not in (None, RANDOM, OWN):
        raise ModelSpecError(
            f"{text!r}: after @ a factory takes {RANDOM!r} (untrained) or {OWN!r} (it returns trained "
            f"weights itself), not {weights!r}; a checkpoint is given with --weights FILE"
        )
    return ModelSpec("file" if place.endswith(".py") else "module", f"{place}:{factory}", weights)
