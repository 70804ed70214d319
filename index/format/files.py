"""The names of a store's files and folders."""

from ..storage.layer_names import folder_name

MANIFEST = "manifest.json"
LAYERS = "layers.parquet"
UNITS = "units.parquet"
CLASSES = "classes.parquet"
SELECTIVITY = "selectivity.parquet"
ERRORS = "errors.parquet"
IMAGES = "images"
FEATURES = "features"
LAYER_FEATURES = "layer_features"
MAXIMA = "maxima"
STRONGEST = "strongest"
PLAN = "plan"
THUMBS = "thumbs"
PATCHES = "patches"
WORK = ".work"
SHARDS = f"{WORK}/shards"
MERGED = f"{WORK}/merged"

PART_IMAGES = 2**20
"""Images of one part, at most."""


def part_name(number: int) -> str:
    """Return the file of part `number` in a table's folder."""
    return f"part-{number:05d}.parquet"


def part_path(table: str, number: int) -> str:
    """Return part `number` of a table."""
    return f"{table}/{part_name(number)}"


def shard_path(number: int) -> str:
    """Return the file of shard `number`."""
    return f"{SHARDS}/shard-{number:06d}.arrow"


def maxima_table(layer: str) -> str:
    """Return the folder of a layer's maxima."""
    return f"{MAXIMA}/{folder_name(layer)}"


def layer_features_table(layer: str) -> str:
    """Return the folder of the features that are a layer's mean over positions; its columns are those of
    `features/`.
    """
    return f"{LAYER_FEATURES}/{folder_name(layer)}"
