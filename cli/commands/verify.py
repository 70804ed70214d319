"""`unitscope verify STORE`: every file of a store and of what was built from it against its manifest."""

from argparse import Namespace
from typing import TYPE_CHECKING

from ..command import JSON, Command, argument
from ..output import Column, count, print_json, print_lines, print_table, size
from ..progress import show_progress

if TYPE_CHECKING:
    from ...index.verify.verify import Report

FAILED = 1


def run(arguments: Namespace) -> int:
    """Print what is wrong; exit code 1 where anything is."""
    from ...index.verify.verify import verify

    with show_progress() as progress, progress.stage("verifying", None, "bytes") as stage:
        report = verify(arguments.store, stage.advance)
    if arguments.json:
        print_json({"store": arguments.store, "ok": report.ok, **vars(report)})
    elif report.ok:
        print_lines(
            f"{arguments.store}: {count(report.files, 'files')}, {size(report.bytes)}, all as the manifest says."
        )
    else:
        print_lines(f"{arguments.store} is damaged: {count(len(report.problems), 'problems')}", "")
        print_table((Column("file"), Column("problem")), [(one.path, one.what) for one in report.problems])
        print_lines("", *_remedies(report))
    return 0 if report.ok else FAILED


def _remedies(report: "Report") -> list[str]:
    """Return what to do, each said once with the first file that it is for."""
    paths: dict[str, list[str]] = {}
    for one in report.problems:
        paths.setdefault(one.remedy, []).append(one.path)
    others = {
        remedy: f" and {count(len(of) - 1, 'others')}" if len(of) > 1 else "" for remedy, of in paths.items()
    }
    return [f"{of[0]}{others[remedy]}: {remedy}" for remedy, of in paths.items()]


COMMAND = Command(
    name="verify",
    summary="check every file of a store, and of what was built from it, against its manifest",
    description=(
        "Reads every file of STORE, and of what was built from it, and compares it with its manifest. Exit code 1\n"
        "where anything differs."
    ),
    arguments=(argument("STORE", help="a finished store"), JSON),
    run=run,
)
