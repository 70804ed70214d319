"""Networks of a user's own: a factory in a Python file or module, and what is declared beside it."""

import inspect
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, cast

from torch import nn

from ...common.errors import ModelSpecError
from ...common.task_names import FORMS, TASKS, Form, Task
from .base import ASSUMED, RANDOM_SEED, RANDOM_WEIGHTS, Built, Request, listed, seeded, suggest
from .checkpoint import check_checkpoint, fill, read_checkpoint
from .fingerprint import check_values, digests
from .preprocess import IMAGENET, Preprocess
from .spec import OWN, RANDOM, ModelSpec
from .unwrap import plain_network
from .user_code import UserImports, import_file, import_module, run

Word = TypeVar("Word", Task, Form)


def build(request: Request) -> Built:
    """Return the network that the factory returns, with the module's PREPROCESS and CLASSES. Raises ModelSpecError.

    Without PREPROCESS there is no network, except where only the architecture matters: then ImageNet's is assumed.
    """
    spec = request.spec
    imports, module = _import(spec)
    factory = _find_factory(module, spec)
    if request.need_weights and request.checkpoint is None and spec.weights is None:
        raise ModelSpecError(
            f"{spec} names no weights. Allowed: --weights FILE; {spec}@own where the factory returns trained weights "
            f"itself; {spec}@random for untrained weights"
        )
    if request.checkpoint is not None:
        check_checkpoint(request.checkpoint)
    preprocess, stated = _preprocess(module, spec, required=request.need_weights)
    classes = _classes(module)
    task = _one_of(module, "TASK", TASKS)
    output = _one_of(module, "OUTPUT", FORMS)
    with imports.active():
        network, weights, notes = _make(factory, request)
    imports.watch(network)
    is_random = weights == RANDOM_WEIGHTS
    return Built(
        network, preprocess, stated, classes, weights, is_random, task=task, output=output, notes=notes
    )


def _make(factory: Callable[[], nn.Module], request: Request) -> tuple[nn.Module, str, tuple[str, ...]]:
    """Return the network, the description of its weights, and what a person should know of them."""
    spec = request.spec
    if spec.weights == OWN:
        return (_call_trained(factory, spec) if request.need_weights else _call(factory, spec)), OWN, ()
    network = _call(factory, spec)
    if request.checkpoint is None:
        return network, RANDOM_WEIGHTS, ()
    found = read_checkpoint(request.checkpoint)
    fill(network, found.state, f"--weights {request.checkpoint}")
    return network, found.weights, (found.note,) if found.note else ()


def _call_trained(factory: Callable[[], nn.Module], spec: ModelSpec) -> nn.Module:
    """Return the network; ModelSpecError where another seed gives other weights: then they were drawn, not trained."""
    network = _call(factory, spec)
    check_values(network, str(spec))
    first = digests(network)
    del network  # there may not be room for two
    network = _call(factory, spec, seed=RANDOM_SEED + 1)
    second = digests(network)
    drawn = [name for name in first if first[name] != second.get(name)]
    if drawn:
        raise ModelSpecError(
            f"{spec}: the factory does not return trained weights: {len(drawn)} of {len(first)} tensors change "
            f"with the random seed ({listed(drawn, 4)}). Give them with --weights FILE, or ask for "
            f"{spec.name}@{RANDOM}"
        )
    return network


def _call(factory: Callable[[], nn.Module], spec: ModelSpec, seed: int = RANDOM_SEED) -> nn.Module:
    _check_parameters(factory, spec)
    with seeded(seed):
        network = cast("object", run(f"calling {spec.name}()", factory))
    if not isinstance(network, nn.Module):
        kind = type(network).__name__
        more = ": the network that was exported, not the program" if kind == "ExportedProgram" else ""
        raise ModelSpecError(f"{spec.name}() returned a {kind}; it must return a torch.nn.Module{more}")
    return plain_network(network, spec.name)


def _check_parameters(factory: Callable[[], nn.Module], spec: ModelSpec) -> None:
    try:
        inspect.signature(factory).bind()
    except ValueError:  # some built-in callables tell no signature
        return
    except TypeError as error:
        raise ModelSpecError(
            f"{spec.name}() is called without arguments, but: {error}. Give each parameter a default, or name a "
            "function that calls it with the values of your network"
        ) from error


def _import(spec: ModelSpec) -> tuple[UserImports, ModuleType]:
    """Return what the module may import, and the module."""
    if spec.source == "module":
        imports = UserImports(Path.cwd())
        return imports, import_module(spec.place, imports)
    path = Path(spec.place).expanduser().resolve()
    if not path.is_file():
        near = [str(found) for found in sorted(path.parent.glob("*.py"))] if path.parent.is_dir() else []
        beside = f"; beside it: {listed(near, 5)}" if near else ""
        raise ModelSpecError(f"{spec}: there is no file {path}{beside}")
    imports = UserImports(path.parent)
    return imports, import_file(path, imports)


def _find_factory(module: ModuleType, spec: ModelSpec) -> Callable[[], nn.Module]:
    found: object = getattr(module, spec.factory, None)
    if found is None:
        names = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise ModelSpecError(
            f"{spec.place} has no {spec.factory!r}{suggest(spec.factory, names)} What can be called there: "
            f"{listed(names) or 'nothing'}"
        )
    if isinstance(found, nn.Module) or not callable(found):
        what = "a network" if isinstance(found, nn.Module) else f"a {type(found).__name__}"
        raise ModelSpecError(
            f"{spec.name} is {what}, not a factory: name a function that returns a torch.nn.Module"
        )
    return cast("Callable[[], nn.Module]", found)


def _preprocess(module: ModuleType, spec: ModelSpec, *, required: bool) -> tuple[Preprocess, str]:
    declared: Any = getattr(module, "PREPROCESS", None)
    if declared is not None:
        try:
            return Preprocess.from_dict(declared), f"PREPROCESS in {Path(spec.place).name}"
        except ModelSpecError as error:
            raise ModelSpecError(f"{spec.place}: {error}") from error
    if not required:
        return IMAGENET, f"{ASSUMED}: {Path(spec.place).name} declares no PREPROCESS"
    raise ModelSpecError(
        f"{spec.place} does not say how images are prepared. Beside the factory write "
        f"PREPROCESS = {IMAGENET.to_dict()} with this network's own numbers"
    )


def _classes(module: ModuleType) -> tuple[str, ...] | None:
    declared: object = getattr(module, "CLASSES", None)
    if declared is None:
        return None
    names = cast("list[object]", declared) if isinstance(declared, list | tuple) else []
    if not names or not all(isinstance(name, str) for name in names):
        raise ModelSpecError(f"CLASSES is {declared!r}; it must be a list of names (str), one for each logit")
    return tuple(map(str, names))


def _one_of(module: ModuleType, name: str, allowed: tuple[Word, ...]) -> Word | None:
    """Return what the module declares under this name. Raises ModelSpecError where it is none of what is allowed."""
    declared: object = getattr(module, name, None)
    if declared is None:
        return None
    found = next((word for word in allowed if word == declared), None)
    if found is None:
        raise ModelSpecError(f"{name} is {declared!r}; allowed: {', '.join(map(str, allowed))}")
    return found
