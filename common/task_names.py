"""The names of what an output can predict and of the forms of its numbers."""

from typing import Literal, get_args

Task = Literal["classification", "binary", "multi-label", "regression", "embedding", "none"]
TASKS: tuple[Task, ...] = get_args(Task)
Form = Literal["logits", "probabilities"]
FORMS: tuple[Form, ...] = get_args(Form)
PREDICTING: tuple[Task, ...] = ("classification", "binary", "multi-label")
"""The tasks whose output predicts classes."""
