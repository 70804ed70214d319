"""The words of the project: docstrings begin with a verb, and what people read has the field's terms."""

import ast
import re
from pathlib import Path

import pytest
from source_files import ROOT, files

NO_VERB = {
    "A", "An", "And", "As", "At", "By", "For", "From", "How", "In", "It", "Its", "Of", "On", "One", "Same",
    "That", "The", "These", "This", "Those", "Two", "What", "When", "Where", "Whether", "Which", "Who", "Whoever",
    "Why", "With",
}  # fmt: skip
PROPERTIES = {"property", "cached_property"}

# Words that pages, help and documents no longer use, and what they use instead.
REPLACED = {
    r"taken for": "predicted as",
    r"paint(ed)? by": "color by",
    r"at hand": "in memory",
    r"fires?( most)? for": "activates for, preferred class",
    r"(lies|lie) here": "here",
    r"the middle of (the|what)": "the centre",
    r"as is useful": "default",
    r"What can be asked": "Filter syntax",
    r"(is|are) no (store|JSON)": "is not a …",
    r"times as common": "lift",
    r"true nearest": "recall",
    r"\bMend\b": "Fix",
    r"commonest": "most common",
    r"\bverbs?\b": "command",
}
READ_BY_PEOPLE = (
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "service" / "templates").glob("*.html")),
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "cli").rglob("*.py")),
    "README.md",
    "docs/architecture.md",
    "docs/client.md",
    "deploy/README.md",
    "CONTRIBUTING.md",
)


@pytest.mark.parametrize("file", files())
def test_docstrings_of_functions_begin_with_a_verb(file: str) -> None:
    assert list(without_a_verb((ROOT / file).read_text())) == []


def without_a_verb(source: str) -> list[str]:
    """Functions whose docstring begins with another word; properties are nouns, and `__init__` is its class's."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name == "__init__":
            continue
        decorators = {ast.unparse(one).split("(")[0].rpartition(".")[2] for one in node.decorator_list}
        words = (ast.get_docstring(node) or "").split()
        if words and words[0].strip(".,:;") in NO_VERB and not decorators & PROPERTIES:
            found.append(f"{node.lineno}: {node.name}: {' '.join(words[:6])}")
    return found


def test_a_docstring_without_a_verb_is_seen() -> None:
    assert without_a_verb('def f():\n    """The mean of all."""')
    assert not without_a_verb('def f():\n    """Return the mean of all."""')
    assert not without_a_verb('class A:\n    @property\n    def f(self):\n        """The mean of all."""')


@pytest.mark.parametrize("file", READ_BY_PEOPLE)
def test_replaced_words_are_gone(file: str) -> None:
    assert list(replaced_words((ROOT / file).read_text(), Path(file).suffix)) == []


def replaced_words(text: str, suffix: str) -> list[str]:
    """Lines of what people read that hold a replaced word: of Python its texts, of templates no comments."""
    if suffix == ".html":
        text = re.sub(r"\{#.*?#\}", "", text, flags=re.DOTALL)
    return [
        f"{match[0]!r}: write {instead!r}"
        for pattern, instead in REPLACED.items()
        for match in re.finditer(pattern, text)
    ]


def test_a_replaced_word_is_seen() -> None:
    assert replaced_words("<p>taken for a dog</p>", ".html")
    assert not replaced_words("{# taken for a dog #}", ".html")
