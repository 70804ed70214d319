"""`unitscope layers MODEL`: every layer that can be swept, and what cannot be, and why. Needs no dataset."""

from argparse import Namespace
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...common.errors import LayerError
from .. import argument_types as values
from ..command import JSON, Command, argument
from ..output import Column, count, print_json, print_lines, print_table

if TYPE_CHECKING:
    from ...model.checks.sweepable import Sweepable
    from ...model.layers.layers import Layer, LayerList
    from ...model.receptive_field.receptive_field import ReceptiveField
    from ...model.sources.load import LoadedModel

MODEL_FORMS = (
    "torchvision:NAME[@WEIGHTS], timm:NAME, hf:FOLDER, hf:REPOSITORY, FILE.py:FACTORY or "
    "PACKAGE.MODULE:FACTORY"
)


@dataclass(frozen=True)
class _Found:
    """All that there is to say about a network's layers."""

    model: "LoadedModel"
    input_size: tuple[int, int]
    layers: "LayerList"
    chosen: frozenset[str]
    fields: "dict[str, ReceptiveField]"
    sweepable: "Sweepable"

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per layer: the columns of layers.parquet. The view needs images: it is measured by a sweep."""
        return [
            _row(layer, self.fields[layer.name], layer.name in self.chosen) for layer in self.layers.swept
        ]


def run(arguments: Namespace) -> int:
    """Print the layers."""
    found = _find(arguments)
    if arguments.json:
        refused = [{"layer": name, "reason": reason} for name, reason in found.layers.refused]
        print_json(
            {
                "model": found.model.spec,
                "weights": found.model.weights,
                "random_weights": found.model.random,
                "input_size": found.input_size,
                "layers": found.rows(),
                "refused": refused,
                "preprocessing": found.model.preprocess_source,
                "feature": None if found.sweepable.feature is None else found.sweepable.feature.name,
                "sweep_refuses": found.sweepable.problems,
            }
        )
    else:
        _print(found)
    return 0


def _find(arguments: Namespace) -> _Found:
    from ...model.checks.sweepable import check_sweepable
    from ...model.layers.default_layers import default_layers
    from ...model.layers.layers import list_layers
    from ...model.receptive_field.receptive_field import receptive_fields
    from ...model.sources.load import load_model

    model = load_model(arguments.model, weights=arguments.weights, need_weights=False)
    size = arguments.input_size or model.input_size
    layers = list_layers(model.network, size)
    try:
        chosen = frozenset(layer.name for layer in default_layers(model.network, layers, size))
    except LayerError:
        chosen = frozenset[str]()  # every layer must then be named; the table shows that none is the default
    fields = receptive_fields(model.network, layers.swept, size)
    swept = [layer for layer in layers.swept if layer.name in chosen]
    sweepable = check_sweepable(model, swept, size, has_weights=arguments.weights is not None)
    return _Found(model, size, layers, chosen, fields, sweepable)


def _row(layer: "Layer", field: "ReceptiveField", chosen: bool) -> dict[str, Any]:
    return {
        "layer": layer.name,
        "kind": layer.kind,
        "units": layer.units,
        "height": layer.height,
        "width": layer.width,
        "rf_height": field.height,
        "rf_width": field.width,
        "stride_y": field.stride_y,
        "stride_x": field.stride_x,
        "start_y": field.start_y,
        "start_x": field.start_x,
        "local_rf_height": field.local_height,
        "local_rf_width": field.local_width,
        "view_height": None,
        "view_width": None,
        "default": chosen,
        "guessed": list(field.guessed),
    }


_COLUMNS = (
    Column(""),
    Column("layer"),
    Column("kind"),
    Column("units", right=True),
    Column("grid", right=True),
    Column("receptive field", right=True),
    Column("local", right=True),
    Column("stride", right=True),
    Column("start", right=True),
)


def _print(found: _Found) -> None:
    height, width = found.input_size
    rows = found.rows()
    print_lines(
        f"{found.model.spec}: {count(len(rows), 'layers')}, {count(sum(row['units'] for row in rows), 'units')}, "
        f"for inputs of {height}x{width} pixels ({_size_source(found)})",
        f"Weights: {found.model.weights}. Nothing below depends on them.",
        "",
    )
    print_table(_COLUMNS, [_cells(row) for row in rows])
    print_lines(
        "",
        "* swept by default. Sizes are height x width; the receptive field, stride and start (y, x) are pixels of the",
        "model's input; `local` leaves out global gates. A sweep measures the effective receptive field.",
    )
    guessed = sorted({name for row in rows for name in row["guessed"]})
    if guessed:
        print_lines(f"Receptive fields are upper bounds after: {', '.join(guessed)}.")
    feature = found.sweepable.feature
    if feature is not None:
        why = feature.note or "what feeds the classifier"
        print_lines(f"feature: {feature.name}, {feature.width:,} numbers: {why}")
    if found.sweepable.problems:
        print_lines("", "`unitscope sweep` refuses this network as it is:")
        print_lines(*(f"- {problem}" for problem in found.sweepable.problems))
    if found.layers.refused:
        print_lines("", f"Cannot be swept ({len(found.layers.refused)}):", "")
        print_table((Column("layer"), Column("why")), found.layers.refused)


def _size_source(found: _Found) -> str:
    """Return what the size of images was taken from."""
    if found.input_size != found.model.input_size:
        return "--input-size"
    return found.model.preprocess_source


def _cells(row: dict[str, Any]) -> list[object]:
    return [
        "*" if row["default"] else "",
        row["layer"],
        row["kind"],
        row["units"],
        f"{row['height']}x{row['width']}" if row["kind"] != "vector" else None,
        f"{row['rf_height']}x{row['rf_width']}",
        f"{row['local_rf_height']}x{row['local_rf_width']}",
        f"{row['stride_y']}, {row['stride_x']}",
        f"{row['start_y']}, {row['start_x']}",
    ]


COMMAND = Command(
    name="layers",
    summary="list the layers of a model that can be swept, and why the others cannot",
    description="Lists every layer of MODEL whose output is a map, tokens or a vector. Needs no weights and no images.",
    arguments=(
        argument("MODEL", help=MODEL_FORMS),
        argument(
            "--weights",
            metavar="FILE",
            help="a checkpoint; rarely needed here, since geometry does not depend on it",
        ),
        argument(
            "--input-size",
            metavar="SIZE",
            type=values.input_size,
            help="HEIGHTxWIDTH in pixels (default: what the model's preprocessing gives)",
        ),
        JSON,
    ),
    run=run,
)
