"""The documents say what the program does: commands, links, versions, and the commands that they tell people to run."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from unitscope.cli.main import COMMANDS, parser

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "deploy/**/*.md", "benchmarks/*.md")
    for path in ROOT.glob(pattern)
)
README = (ROOT / "README.md").read_text()
ROW = re.compile(r"^\| `unitscope (?P<command>\w+)(?P<arguments>[^`]*)` \| (?P<does>.+) \|$", re.MULTILINE)


def test_the_readmes_table_is_that_of_the_command() -> None:
    assert [(row["command"], row["does"]) for row in ROW.finditer(README)] == [
        (command.name, command.summary) for command in COMMANDS
    ]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_readmes_table_shows_what_must_be_given(command) -> None:
    (row,) = (row for row in ROW.finditer(README) if row["command"] == command.name)
    assert row["arguments"].split() == required(command)


def required(command) -> list[str]:
    """What must be given, as the table writes it: `STORE`, `STORE…` for one or more, `[FOLDER]`, `--model SPEC`."""
    shown: list[str] = []
    for one in command.arguments:
        name = one.options.get("metavar", one.names[0])
        if not one.names[0].startswith("-"):
            shown.append({"+": f"{name}…", "?": f"[{name}]"}.get(one.options.get("nargs"), name))
        elif one.options.get("required"):
            shown += [one.names[0], name]
    return shown


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_in_documents_parse(document: str) -> None:
    for line in commands((ROOT / document).read_text()):
        words = shlex.split(line)[1:]
        if words == [words[0]] and words[0] in {command.name for command in COMMANDS}:
            continue  # a command that is only mentioned
        try:
            parser().parse_args(words)
        except SystemExit:
            pytest.fail(f"{document} shows a command that is wrong: {line}")


def commands(text: str) -> list[str]:
    """The `unitscope …` commands of a document's example lines and of its code in backquotes."""
    joined = re.sub(r"\\\n\s*", "", text)
    shown = re.findall(r"^\s+\$ (unitscope .+)$", joined, re.MULTILINE)
    quoted = [
        code
        for code in re.findall(r"`(unitscope [^`]+)`", joined)
        if not re.search(r"[A-Z…\[]{2}|…|\[", code)
    ]
    return [*shown, *quoted]


def test_commands_are_found() -> None:
    assert commands("a `unitscope top s l 1` b\n    $ unitscope verify s\n") == [
        "unitscope verify s",
        "unitscope top s l 1",
    ]
    assert len(commands(README)) > 4


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text()
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not target.startswith(("http://", "https://")):
            assert ((ROOT / document).parent / target).exists(), target


def test_make_targets_in_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in DOCUMENTS:
        for target in re.findall(r"(?:^    |`)make ([a-z]+)", (ROOT / document).read_text(), re.MULTILINE):
            assert target in targets, (document, target)


def test_markers_are_explained() -> None:
    declared = set(re.findall(r'^    "(\w+): ', (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
    explained = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE))
    assert declared == explained


def test_the_changelog_has_the_form() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert sections and sections[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", section) for section in sections[1:])
    kinds = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_the_lock_names_no_address() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock and "--index" not in lock and "@ " not in lock
    assert not (ROOT / "uv.lock").exists()


def test_the_list_of_modules_is_that_of_the_docstrings() -> None:
    made = subprocess.run(
        [sys.executable, "-c", "import list_modules; print(list_modules.render(), end='')"],
        cwd=ROOT / "docs",
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert (ROOT / "docs" / "modules.md").read_text() == made, "run `python docs/list_modules.py`"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_that_documents_name_exist(document: str) -> None:
    named = set(
        re.findall(
            r"`((?:common|model|index|jobs|service|cli|tests|docs)/[\w/]+\.\w+)`",
            (ROOT / document).read_text(),
        )
    )
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
