"""Opens what is built from a store by its manifest: the index, the graph of neighbours, an atlas, a sample.

Each has a small JSON file, written last (sealed.py), with a version and the hash of what it was built from. The same
fault is the same error for all of them.
"""

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...common.errors import NotBuiltError, OutdatedError
from ..storage.damaged import damaged
from ..storage.folder import Folder, MissingFileError
from ..storage.layer_names import layer_name
from .layer_folders import ACTIVATIONS, FOLDER, UNITS
from .sealed import unsealed

_SOURCES = {"store": "sweep", "index": "index"}
"""Keys of manifests that name what a thing was built from, and what messages call that."""


@dataclass(frozen=True)
class Derived:
    """A kind of thing that is built from a store.

    name: as messages call it. manifest: its path. version: of the format. remedy: what to do where it is damaged.
    fields: what a manifest of this version has, of which type.
    """

    name: str
    manifest: str
    version: int
    remedy: str
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])


class OpenManifest(NamedTuple):
    """digest: the SHA-256 of the file."""

    content: dict[str, Any]
    digest: str


def open_derived(
    folder: Folder,
    kind: Derived,
    *,
    sources: Mapping[str, str | None],
    settings: Mapping[str, object] | None = None,
) -> OpenManifest:
    """Return the manifest of what was built in a folder.

    sources: the hash that each key (`store`, `index`) must have; None for any. settings: what else it must have.
    Raises NotBuiltError where there is none, OutdatedError for one of another version, settings or sources;
    StoreDamagedError.
    """
    where = folder.path(kind.manifest)
    try:
        data = folder.read(kind.manifest)
    except MissingFileError:
        raise not_built(folder, kind) from None
    content = unsealed(data, where, kind.remedy)
    for key, value in {"version": kind.version, **(settings or {})}.items():
        if content.get(key) != value:
            has = f"{where} has {key} {content.get(key)!r}, not {value!r}"
            raise OutdatedError(has, build_command(folder, kind.manifest))
    for key, expected in kind.fields.items():
        if not isinstance(content.get(key), expected):
            raise damaged(where, f"it does not say `{key}` as it should", kind.remedy)
    for key, value in sources.items():
        if value is not None and content.get(key) != value:
            built = f"the {kind.name} in {folder.url} was built from another {_SOURCES[key]}"
            raise OutdatedError(built, build_command(folder, kind.manifest))
    return OpenManifest(content, hashlib.sha256(data).hexdigest())


def not_built(folder: Folder, kind: Derived, have: str = "") -> NotBuiltError:
    """Return the error for a thing that was not built. have: what there is in its place."""
    return NotBuiltError(f"{folder.url} has no {kind.name}{have}", build_command(folder, kind.manifest))


def build_command(folder: Folder, manifest: str) -> str:
    """Return the command that builds what has this manifest in a store, or in a folder below one."""
    within = folder.url.removeprefix(folder.top).strip("/").split("/")
    if within[0] != FOLDER:
        return command("atlas" if manifest.startswith("atlas/") else "index", folder.top)
    layer = "LAYER" if "%~" in within[1] else layer_name(within[1])
    if len(within) > 2 or manifest.startswith(f"atlas/{ACTIVATIONS}/"):
        return command("atlas", folder.top, f"--{ACTIVATIONS}", layer)
    option = f"--{UNITS}" if manifest.startswith(f"atlas/{UNITS}/") else "--layer"
    return command("atlas", folder.top, option, layer)


def command(name: str, store: str, *options: str) -> str:
    """Return a command line of `unitscope`."""
    return shlex.join(["unitscope", name, store, *options])
