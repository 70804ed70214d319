"""`unitscope verify STORE`: every file of a store against its manifest, and the tables against each other."""

from argparse import Namespace

from .output import Column, count, print_json, print_lines, print_table, size
from .progress import show_progress
from .verb import JSON, Verb, argument

FAILED = 1


def run(arguments: Namespace) -> int:
    """Prints what is wrong; exit code 1 where anything is."""
    from ..index.verify import verify

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
        print_lines("", "Sweep again into a new folder, or bring these files back from a copy.")
    return 0 if report.ok else FAILED


VERB = Verb(
    name="verify",
    summary="every file of a store against its manifest",
    description="Reads every file of STORE and compares it with the manifest. Exit code 1 where anything differs.",
    arguments=(argument("STORE", help="a finished store"), JSON),
    run=run,
)
