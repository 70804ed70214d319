"""What `verify` looks at in all that was built from a store: indexes, graphs of neighbours, samples, atlases.

Each names its files in a manifest of its own, which is written last. Where there is none nothing was built, whatever a
killed run left; where there is one, every file must be as it says.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from ...common.errors import StorageError, StoreDamagedError
from ..atlas.activation_sample import MANIFEST as SAMPLE
from ..atlas.atlas import atlas_path, list_atlases
from ..format.derived import command
from ..format.layer_folders import ACTIVATIONS, KINDS, layer_folder, sample_folder
from ..format.layer_folders import FOLDER as BY_LAYER
from ..format.sealed import unsealed
from ..neighbors.graph_files import MANIFEST as GRAPH
from ..neighbors.pixel_space import pixel_folder
from ..storage.damaged import NONSENSE, describe
from ..storage.folder import Folder, MissingFileError
from ..storage.layer_names import folder_name, layer_name
from ..storage.stored_names import check_stored_name
from ..store.layers import LayerReader

INDEX = "ann/ann.json"  # as ann.py, which loads FAISS, has it
_OPTIONS = ("method", "seed", "layer")
"""Of an atlas's settings: what the command that made it was given."""


class Checked(NamedTuple):
    """A file that was compared. what: is wrong with it, None for nothing. remedy: what to do then."""

    path: str
    bytes: int
    what: str | None
    remedy: str


class _Part(NamedTuple):
    """folder: what the paths of the manifest are relative to. remedy: where a file of it is damaged.

    of_store: whether its manifest names the store that it was made from, not a sample.
    """

    folder: Folder
    manifest: str
    remedy: str
    of_store: bool = True


def check_built(folder: Folder, store: str) -> Iterator[Checked]:
    """Yield every file of what was built, compared. folder, store: of the store, and the hash of its manifest."""
    for part in _parts(folder):
        within = part.folder.url.removeprefix(folder.url).strip("/")
        for name, size, what in _compared(part, store):
            yield Checked(f"{within}/{name}" if within else name, size, what, part.remedy)


def differs(
    folder: Folder, path: str, size: int | None, sha256: str, said_by: str = "the manifest"
) -> str | None:
    """Return what is wrong with a file, None for nothing. size: in bytes, None where that is not known."""
    try:
        found = folder.size(path)
        if size is not None and found != size:
            return f"has {found:,} bytes, not {size:,}"
        return None if folder.sha256(path) == sha256 else f"has another SHA-256 than {said_by} says"
    except MissingFileError:
        return "is missing"
    except (StoreDamagedError, StorageError) as error:
        return str(error).removeprefix("store damaged: ")


def _parts(folder: Folder) -> Iterator[_Part]:
    index = f"run `{command('index', folder.url)}`"
    for one in (folder, pixel_folder(folder)):
        yield _Part(one, INDEX, index)
    yield _Part(folder, GRAPH, index)
    for name in list_atlases(folder):
        yield _atlas(folder, folder, name, ["--name", name])
    names = _layers(folder)
    for name in sorted({name.split("/")[1] for name in folder.list(f"{BY_LAYER}/")}):
        yield from _parts_of_layer(folder, names.get(name) or layer_name(name))


def _layers(folder: Folder) -> dict[str, str]:
    """Return the name of each layer's folder → the layer; none where the store's layers cannot be read."""
    try:
        return {folder_name(row.layer): row.layer for row in LayerReader(folder).rows}
    except StoreDamagedError:
        return {}


def _parts_of_layer(folder: Folder, layer: str) -> Iterator[_Part]:
    own, sample = layer_folder(folder, layer), sample_folder(folder, layer)
    within = f"{BY_LAYER}/{folder_name(layer)}"
    for manifest in (INDEX, GRAPH):
        remedy = f"delete {within}/{manifest.split('/')[0]}/ and run `{command('atlas', folder.url, '--layer', layer)}`"
        yield _Part(own, manifest, remedy)
    again = command("atlas", folder.url, f"--{ACTIVATIONS}", layer)
    for manifest in (SAMPLE, INDEX, GRAPH):
        remedy = f"delete {within}/{ACTIVATIONS}/ and run `{again}`"
        yield _Part(sample, manifest, remedy, of_store=manifest == SAMPLE)
    for name in KINDS:
        yield _atlas(folder, own, name, [f"--{name}", layer])


def _atlas(store: Folder, folder: Folder, name: str, options: list[str]) -> _Part:
    manifest = atlas_path(name, "atlas.json")
    try:
        settings: dict[str, Any] = unsealed(folder.read(manifest), manifest)["settings"]
        known = [(f"--{key}", str(settings[key])) for key in _OPTIONS if key in settings]
        fast = ["--fast"] if settings.get("fast") else []
    except (MissingFileError, StoreDamagedError, *NONSENSE):
        known, fast = [], []
    given = [word for key, value in known if key != "--layer" or folder is store for word in (key, value)]
    return _Part(folder, manifest, f"run `{command('atlas', store.url, *given, *fast, *options)}`")


def _compared(part: _Part, store: str) -> Iterator[tuple[str, int, str | None]]:
    """Yield (file, its bytes, what is wrong with it), the file relative to the part's folder."""
    try:
        data = part.folder.read(part.manifest)
        manifest = unsealed(data, part.manifest)
        files = [_record(name, record) for name, record in manifest["files"].items()]
        own = not part.of_store or manifest["store"] == store
    except MissingFileError:
        return
    except StoreDamagedError as error:
        yield part.manifest, 0, str(error).removeprefix("store damaged: ")
        return
    except NONSENSE as error:
        yield part.manifest, 0, f"cannot be read ({describe(error)})"
        return
    yield part.manifest, len(data), None if own else "was made from another sweep"
    for path, size, sha256 in files:
        yield path, size or 0, differs(part.folder, path, size, sha256, part.manifest)


def _record(path: str, record: dict[str, Any] | str) -> tuple[str, int | None, str]:
    """Return (path, bytes, SHA-256); the manifest of a sample has no bytes."""
    check_stored_name(path, "its manifest")
    if isinstance(record, str):
        return path, None, record
    return path, int(record.get("bytes", record.get("size"))), str(record["sha256"])  # pyright: ignore[reportArgumentType]
