"""`unitscope demo [FOLDER]`: all of Unitscope on a dataset that is made on the spot."""

from argparse import Namespace
from contextlib import suppress

from .output import print_lines
from .progress import show_progress
from .serve import PORT
from .verb import Verb, argument


def run(arguments: Namespace) -> int:
    """Makes the demo, prints what to look at, and serves it."""
    from ..jobs.demo.run import demo

    with show_progress() as progress:
        report = demo(arguments.folder, progress=progress)
    print_lines(str(report))
    if arguments.no_serve:
        print_lines(f"Look at it with: unitscope serve {report.store}")
        return 0
    from ..service.server import serve

    with suppress(KeyboardInterrupt):
        serve([str(report.store)], host="127.0.0.1", port=arguments.port)
    return 0


VERB = Verb(
    name="demo",
    summary="all of it on a dataset made on the spot, in about two minutes",
    description=(
        "Draws a dataset in which one class carries a small mark, trains a network that falls for it, sweeps,\n"
        "indexes, maps and serves it, and prints what to look at."
    ),
    arguments=(
        argument("FOLDER", nargs="?", default="demo", help="where to put it (default: %(default)s)"),
        argument("--no-serve", action="store_true", help="stop before serving"),
        PORT,
    ),
    run=run,
    resume="What is finished is kept; this goes on from there:",
)
