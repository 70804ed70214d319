"""What an output is (map, tokens or vector), from how its shape follows the number and the size of the images.

The batch axis is the one that follows the number of images; the axis that follows only the images' height is y, the
one that follows only the width is x, one that follows both counts tokens, and the one that follows neither holds the
units.
Networks that take one size only give no such evidence past the layer that refuses other sizes: there, and for grids of
fixed size after adaptive pooling, grids must fit the input, as the functions without evidence say.
"""

from dataclasses import dataclass, field

Shape = tuple[int, ...]
Grid = tuple[int, int]

MAX_PREFIX = 16
"""The most prefix tokens that are believed where one input size is all the evidence."""


@dataclass(frozen=True)
class Reading:
    """How to read an output; the fields are those of `Layer`."""

    kind: str
    units: int
    height: int
    width: int
    batch_axis: int
    unit_axis: int
    prefix: int = 0


@dataclass(frozen=True)
class Shapes:
    """One tensor's shape in the four probes of `trace.Probes`; None where the network failed before it."""

    base: Shape
    more: Shape | None
    taller: Shape | None
    wider: Shape | None

    @property
    def resized(self) -> list[Shape]:
        """Those of images of another size, as far as there are any."""
        return [shape for shape in (self.taller, self.wider) if shape is not None]


@dataclass
class Classifier:
    """Reads outputs in order of execution, and remembers the grids met so far: tokens are laid out on one of them.

    input_size: (height, width). grids: those in the base, taller and wider probes (the latter two None without
    evidence).
    lengths, widths: how many tokens the sequences met so far have, and how many units. unit_axes: by shape, of the maps
    whose axis was not in doubt.
    """

    input_size: Grid
    grids: list[tuple[Grid, Grid | None, Grid | None]] = field(default_factory=list)
    lengths: set[int] = field(default_factory=set)
    widths: set[int] = field(default_factory=set)
    unit_axes: dict[Shape, int] = field(default_factory=dict)

    def read(self, shapes: Shapes, *, unit_hint: int | None) -> Reading | str:
        """Return the reading, or why there is none.

        unit_hint: the unit axis that the module's type prescribes (1 for a convolution, -1 for a linear layer), or
        None; used only where the shapes leave it open.
        """
        batch_axis = _batch_axis(shapes)
        if isinstance(batch_axis, str):
            return batch_axis
        rank = len(shapes.base)
        if rank == 2:
            axis = 1 - batch_axis
            return Reading("vector", shapes.base[axis], 1, 1, batch_axis, axis)
        if rank == 3:
            return self._sequence(shapes, batch_axis)
        if rank == 4:
            return self._map(shapes, batch_axis, unit_hint)
        return f"its output has {rank} axes: neither a map, nor tokens, nor a vector"

    def _sequence(self, shapes: Shapes, batch_axis: int) -> Reading | str:
        """Return (N, T, C), (N, C, T), (T, N, C)."""
        first, second = (axis for axis in range(3) if axis != batch_axis)
        single = [axis for axis in (first, second) if shapes.base[axis] == 1]
        if single and not _changes(shapes.base, shapes.taller) and not _changes(shapes.base, shapes.wider):
            axis = second if single[0] == first else first
            return Reading("vector", shapes.base[axis], 1, 1, batch_axis, axis)
        found: tuple[int, int, Grid] | None = None
        if shapes.taller is None or shapes.wider is None:
            found = self._tokens_without_evidence(
                shapes.base, (first, second), self.grids or self._exact_grids()
            )
            found = found or self._fewer_tokens(shapes.base, (first, second))
        elif (taller := _changes(shapes.base, shapes.taller)) != (
            wider := _changes(shapes.base, shapes.wider)
        ):
            return f"its output {_text(shapes.base)} is a grid without a unit axis"
        elif len(taller | wider) == 1:
            found = self._tokens((shapes.base, shapes.taller, shapes.wider), taller.pop())
        elif not taller:
            constant = [grids for grids in self.grids if grids[0] == grids[1] == grids[2]]
            found = self._tokens_without_evidence(shapes.base, (first, second), constant)
        if found is None:
            return f"its output {_text(shapes.base)} is a sequence that is laid out on no grid of the image"
        axis, prefix, (height, width) = found
        unit_axis = second if axis == first else first
        self.lengths.add(shapes.base[axis])
        self.widths.add(shapes.base[unit_axis])
        return Reading("tokens", shapes.base[unit_axis], height, width, batch_axis, unit_axis, prefix)

    def _tokens(self, shapes: tuple[Shape, Shape, Shape], axis: int) -> tuple[int, int, Grid] | None:
        """Return (axis, prefix, grid): the one number of prefix tokens with which a grid fits in all three sizes."""
        lengths = [shape[axis] for shape in shapes]
        for grids in [*reversed(self.grids), *self._strided_grids()]:
            prefixes = {
                length - grid[0] * grid[1] if grid else -1
                for length, grid in zip(lengths, grids, strict=True)
            }
            if len(prefixes) == 1 and (prefix := prefixes.pop()) >= 0:
                return axis, prefix, grids[0]
        return None

    def _tokens_without_evidence(
        self, shape: Shape, axes: tuple[int, int], grids: list[tuple[Grid, Grid | None, Grid | None]]
    ) -> tuple[int, int, Grid] | None:
        """Return (axis, prefix, grid) with the fewest prefix tokens; the first axis before the second."""
        for axis in axes:
            fits = [(shape[axis] - grid[0] * grid[1], grid) for grid, _, _ in grids]
            fits = [fit for fit in fits if 0 <= fit[0] <= MAX_PREFIX]
            if fits:
                prefix, grid = min(fits)
                return axis, prefix, grid
        return None

    def _fewer_tokens(self, shape: Shape, axes: tuple[int, int]) -> tuple[int, int, Grid] | None:
        """Return (axis, 0, grid) where a network halves its token grid, unless the axis is as long as tokens are
        wide.
        """
        halves = [((grid[0] + 1) // 2, (grid[1] + 1) // 2) for grid, _, _ in reversed(self.grids)]
        for axis in axes:
            for half in halves:
                if shape[axis] == half[0] * half[1] and shape[axis] not in self.widths:
                    self.grids.append((half, None, None))
                    return axis, 0, half
        return None

    def _strided_grids(self) -> list[tuple[Grid, Grid, Grid]]:
        """Return the grids of every stride, for networks that cut patches without a module that returns a map."""
        height, width = self.input_size
        return [
            ((height // s, width // s), (2 * height // s, width // s), (height // s, 2 * width // s))
            for s in range(1, min(height, width) + 1)
        ]

    def _exact_grids(self) -> list[tuple[Grid, Grid | None, Grid | None]]:
        height, width = self.input_size
        strides = (s for s in range(2, min(height, width) + 1) if height % s == 0 and width % s == 0)
        return [((height // s, width // s), None, None) for s in strides]

    def _map(self, shapes: Shapes, batch_axis: int, unit_hint: int | None) -> Reading | str:
        """Return (N, C, H, W) or (N, H, W, C)."""
        others = [axis for axis in range(4) if axis != batch_axis]
        refusal = f"its output {_text(shapes.base)} is not a grid of the image with one unit axis"
        taller = _changes(shapes.base, shapes.taller)
        wider = _changes(shapes.base, shapes.wider)
        known = shapes.taller is not None and shapes.wider is not None
        if taller or wider:
            if len(taller) != 1 or len(wider) != 1 or not (y := max(taller)) < (x := max(wider)):
                return refusal
            unit_axis = next(axis for axis in others if axis not in (y, x))
        else:
            hint = None if unit_hint is None else unit_hint % 4
            unit_axis = self._unit_axis_without_evidence(shapes.base, others, hint, constant=known)
            if unit_axis is None:
                return refusal
            y, x = (axis for axis in others if axis != unit_axis)
        grid = (shapes.base[y], shapes.base[x])
        scaled = [None if shape is None else (shape[y], shape[x]) for shape in (shapes.taller, shapes.wider)]
        self.grids.append((grid, scaled[0], scaled[1]))
        return Reading("map", shapes.base[unit_axis], *grid, batch_axis, unit_axis)

    def _unit_axis_without_evidence(
        self, shape: Shape, axes: list[int], hint: int | None, *, constant: bool
    ) -> int | None:
        """Return channels first or last, whichever leaves a grid that fits the input; where both do, the module's own
        axis, else that of the last map of this shape.
        """
        fits = [
            unit_axis
            for unit_axis in (axes[0], axes[2])
            if unit_axis == hint == axes[0]
            or self._fits(*(shape[axis] for axis in axes if axis != unit_axis), constant=constant)
        ]
        if hint is not None and hint in fits:
            fits = [hint]
        if len(fits) == 1:
            self.unit_axes[shape] = fits[0]
        return self.unit_axes.get(shape, fits[0]) if fits else None

    def _fits(self, height: int, width: int, *, constant: bool) -> bool:
        """Return whether this can be a grid of the input, where one input size is all the evidence: its strides are
        whole and equal, or it was met before; and it is not attention's (T, T).

        constant: the shape is known not to follow the input's size (adaptive pooling): any grid of the input's
        proportions, or a square, will do.
        """
        if constant:
            return height == width or height * self.input_size[1] == width * self.input_size[0]
        whole = self.input_size[0] % height == 0 and self.input_size[1] % width == 0
        equal = whole and self.input_size[0] // height == self.input_size[1] // width
        seen = any((height, width) == grid for grid, _, _ in self.grids)
        return (equal or seen) and not (height == width and height in self.lengths)


def _batch_axis(shapes: Shapes) -> int | str:
    """Return the axis that is 2 for two images and 3 for three, or why there is none."""
    if shapes.more is None or len(shapes.more) != len(shapes.base):
        return "its output's axes depend on the number of images"
    changed = _changes(shapes.base, shapes.more)
    exact = [axis for axis in changed if (shapes.base[axis], shapes.more[axis]) == (2, 3)]
    if any(len(shape) != len(shapes.base) for shape in shapes.resized):
        return "its output's axes depend on the size of the images"
    if len(changed) == len(exact) == 1:
        if any(shape[exact[0]] != shapes.base[exact[0]] for shape in shapes.resized):
            return "it is cut into windows: larger images give more entries than there are images"
        return exact[0]
    if not changed:
        return f"its output {_text(shapes.base)} has no axis for the images"
    both = f"{_text(shapes.base)} for 2 images, {_text(shapes.more)} for 3"
    return f"its output, {both}, has no axis with one entry per image"


def _changes(one: Shape, other: Shape | None) -> set[int]:
    """Return the axes whose lengths differ; none where there is nothing to compare with."""
    if other is None:
        return set()
    return {axis for axis, (a, b) in enumerate(zip(one, other, strict=True)) if a != b}


def _text(shape: Shape) -> str:
    return "×".join(map(str, shape))
