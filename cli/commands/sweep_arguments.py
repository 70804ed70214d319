"""The arguments of `unitscope sweep`, and which of them are fields of SweepConfig."""

from ...common.task_names import FORMS, TASKS
from .. import argument_types as values
from ..command import JSON, argument
from .layers import MODEL_FORMS

_DTYPES = ("float32", "float16")

ARGUMENTS = (
    argument(
        "DATA",
        nargs="+",
        help="an image folder, a Parquet file or folder in the Hugging Face layout, or WebDataset tars; or several of "
        "one kind, or patterns in quotes: 'data/part-*.parquet', 'train-{000..127}.tar'",
    ),
    argument("STORE", help="the folder or bucket prefix to fill"),
    argument("--model", metavar="SPEC", required=True, help=MODEL_FORMS),
    argument(
        "--weights",
        metavar="FILE",
        help="a checkpoint: .safetensors, or .pth with tensors only; FILE#NAME for one set in it",
    ),
    argument(
        "--layers",
        metavar="NAMES",
        type=values.names,
        default=(),
        help="names and globs, separated by commas, as `unitscope layers` lists them (default: those it marks with *)",
    ),
    argument(
        "--feature",
        metavar="NAME",
        help="the module whose output is the feature (default: what feeds the classifier)",
    ),
    argument(
        "--atlas-layers",
        metavar="NAMES",
        type=values.names,
        default=(),
        help="layers whose mean over positions is kept as a further feature of each image, for `unitscope atlas "
        "--layer`; names and globs between commas (default: none)",
    ),
    argument(
        "--k",
        metavar="K",
        type=values.whole(1),
        default=100,
        help="patches kept for each unit (default: %(default)s)",
    ),
    argument(
        "--workers",
        metavar="N",
        type=values.whole(0),
        help="Ray workers; 0 sweeps in this process without Ray (default: one per core)",
    ),
    argument(
        "--batch-size",
        metavar="B",
        type=values.whole(1),
        default=64,
        help="images per batch, at least 16 (default: %(default)s)",
    ),
    argument(
        "--max-error-rate",
        metavar="SHARE",
        type=values.share,
        default=0.001,
        help="fraction of images that may fail before the run fails (default: %(default)s)",
    ),
    argument(
        "--classes",
        metavar="FILE",
        help="the model's class for each label, where the dataset's labels are not its classes",
    ),
    argument(
        "--task",
        choices=TASKS,
        help="what the network's output predicts (default: the factory's TASK, or detected)",
    ),
    argument(
        "--output",
        choices=FORMS,
        help="whether the output is probabilities already (default: the factory's OUTPUT, or detected)",
    ),
    argument(
        "--label",
        metavar="COLUMN",
        help="the Parquet column of labels (default: label, a list `labels`, or the only ClassLabel)",
    ),
    argument(
        "--image",
        metavar="COLUMN",
        help="the Parquet column of images or of their paths (default: image, or the only column of images)",
    ),
    argument(
        "--image-root",
        metavar="FOLDER",
        help="where the paths of images given by path begin (default: the folder of the Parquet file)",
    ),
    argument(
        "--exif",
        choices=("apply", "ignore"),
        help="rotate images as their EXIF orientation says, or not (default: apply for Parquet, as the datasets "
        "library does, ignore for folders and tars, as torchvision and webdataset do)",
    ),
    argument(
        "--maxima-dtype",
        choices=_DTYPES,
        default="float32",
        help="type of the stored maxima (default: %(default)s)",
    ),
    argument(
        "--feature-dtype",
        choices=_DTYPES,
        default="float32",
        help="type of the stored features (default: %(default)s)",
    ),
    argument("--allow-nonfinite", action="store_true", help="continue when an activation is NaN or infinite"),
    argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)"),
    argument(
        "--precision",
        choices=("exact", "tf32"),
        default="exact",
        help="tf32 is faster on CUDA and less exact; it is recorded in the store (default: %(default)s)",
    ),
    argument(
        "--ray-address",
        metavar="ADDRESS",
        help="address of a running Ray cluster (default: start one on this machine)",
    ),
    argument(
        "--dry-run",
        action="store_true",
        help="estimate what would be swept, its size and time; write nothing",
    ),
    JSON,
)

SETTINGS = (
    "data",
    "store",
    "model",
    "weights",
    "layers",
    "feature",
    "atlas_layers",
    "k",
    "workers",
    "batch_size",
    "max_error_rate",
    "classes",
    "label",
    "image",
    "image_root",
    "exif",
    "maxima_dtype",
    "feature_dtype",
    "allow_nonfinite",
    "device",
    "precision",
    "ray_address",
    "task",
    "output",
)
"""The arguments that are fields of SweepConfig."""
