"""Decides what the output of the network is, from what is named, what it gives, and the dataset's labels."""

from dataclasses import dataclass, replace

from ...common.errors import UsageError
from ...common.task_names import PREDICTING, Form, Task
from ...index.labels.summary import LabelFacts
from ...model.outputs import OutputKind
from ...model.sources.load import LoadedModel
from .config import SweepConfig


@dataclass(frozen=True)
class _Known:
    """What is known of the output. task, form: as named. classes_file: whether --classes is given.

    wnids: as in `decide_output`.
    """

    model: LoadedModel
    facts: LabelFacts
    class_names: tuple[str, ...] | None
    task: Task | None
    form: Form | None
    classes_file: bool
    wnids: bool


def decide_output(
    config: SweepConfig,
    model: LoadedModel,
    facts: LabelFacts,
    class_names: tuple[str, ...] | None,
    *,
    wnids: bool = False,
) -> OutputKind:
    """Return what the output is: as `--task` and `--output` or the factory's TASK and OUTPUT name it, or as found out.

    facts: of the dataset's labels. class_names: of its ClassLabel. wnids: whether labels are WordNet ids of ImageNet's
    classes, of which there are as many as outputs. Raises UsageError where what is named cannot be.
    """
    known = _Known(
        model,
        facts,
        class_names,
        config.task or model.task,
        config.output or model.output_form,
        config.classes is not None,
        wnids,
    )
    kind = _named(known, known.task) if known.task is not None else _found(known)
    if not kind.predicts:
        return kind
    if model.outputs is None:
        raise UsageError(f"the task is {kind.task}, but the network returns no scores (images, classes)")
    return _with_form(known, kind)


def _named(known: _Known, task: Task) -> OutputKind:
    """Return the task that is named. Raises UsageError where the network's output cannot be of it."""
    outputs = known.model.outputs
    if task == "classification" and outputs == 1:
        raise UsageError(
            "the task is classification, but the network gives one number for an image: name binary"
        )
    if task == "binary" and outputs not in (1, None):
        raise UsageError(
            f"the task is binary, but the network gives {outputs} numbers for an image: name classification"
        )
    unused = known.model.classes is not None and task not in PREDICTING
    why = "it is named; the names of its classes are not used" if unused else "it is named"
    return OutputKind(task, alone=task == "multi-label", why=why)


def _found(known: _Known) -> OutputKind:
    """Return the task by what the network gives and what the labels are; `none` where nothing says that it predicts
    them.
    """
    model, facts = known.model, known.facts
    if model.outputs is None:
        return OutputKind("none", why="the network returns no scores of classes (images, classes)")
    if model.outputs == 1:
        return _found_one(known)
    count = f"{model.outputs} outputs"
    named = model.classes is not None or known.classes_file
    if facts.lists and named:
        return OutputKind("multi-label", alone=True, why=f"{count}, and images have lists of labels")
    signs = (
        (model.classes is not None, "with a name for each"),
        (known.classes_file, "and --classes says their labels"),
        (model.is_classifier, "of a library's classifier"),
        (model.values == "distribution", "that sum to 1"),
        (len(known.class_names or ()) == model.outputs, "as many as the dataset's ClassLabel has names"),
        (known.wnids, "as many as ImageNet has classes, and labels are WordNet ids of these"),
        (facts.integers_below(model.outputs), f"and labels are integers below {model.outputs}"),
        (facts.distinct == model.outputs, "as many as the dataset has labels"),
    )
    reason = next((words for holds, words in signs if holds), None)
    if reason is not None:
        return OutputKind("classification", why=f"{count}, {reason}")
    return OutputKind(
        "none",
        why=f"{count} without names (CLASSES), and the dataset has {facts.distinct} labels; --task names another",
    )


def _found_one(known: _Known) -> OutputKind:
    if known.model.classes is not None or known.classes_file:
        return OutputKind("binary", why="one output, with names of two classes")
    if known.model.values == "unit" and known.facts.integers_below(2):
        return OutputKind("binary", why="one output between 0 and 1, and labels are 0 and 1")
    return OutputKind(
        "regression", why="one output without names of two classes; --task binary makes it a classifier"
    )


def _with_form(known: _Known, kind: OutputKind) -> OutputKind:
    """Return the kind with the form of its numbers: as named, or as they look. Raises UsageError for what cannot be."""
    values = known.model.values
    if known.form == "probabilities" and values == "scores":
        raise UsageError(
            "the output is named as probabilities, but the network gives numbers outside 0 to 1 for noise: name logits"
        )
    if known.form is not None:
        alone = kind.alone or (
            known.form == "probabilities" and values == "unit" and kind.task == "classification"
        )
        return replace(kind, form=known.form, alone=alone, why=f"{kind.why}; {known.form} as named")
    if values == "distribution" and kind.task == "classification":
        return replace(kind, form="probabilities", why=f"{kind.why}; probabilities, for they sum to 1")
    if values == "unit":
        alone = kind.task != "binary"
        why = f"{kind.why}; probabilities, for all lie in 0 to 1"
        if kind.task == "classification":
            why += "; the most probable class is predicted, --task multi-label predicts each by itself"
        return replace(kind, form="probabilities", alone=alone, why=why)
    return replace(kind, why=f"{kind.why}; logits")
