"""`unitscope demo [FOLDER]`: all of Unitscope on a dataset that is made on the spot."""

import shlex
from argparse import Namespace
from typing import TYPE_CHECKING

from ..command import Command, argument
from ..output import print_lines
from ..progress import show_progress
from .serve import PORT

if TYPE_CHECKING:
    from ...jobs.demo.run import DemoReport


def run(arguments: Namespace) -> int:
    """Make the demo, prints what to look at, and serves it."""
    from ...jobs.demo.run import demo

    with show_progress() as progress:
        report = demo(arguments.folder, progress=progress)
    from ...service.server import free_port, serve

    port = free_port(arguments.port)
    _print(report, port)
    if arguments.no_serve:
        print_lines("", f"Serve it with: unitscope serve {shlex.quote(str(report.store))} --port {port}")
        return 0
    serve([str(report.store)], port=port)
    return 0


def _print(report: "DemoReport", port: int) -> None:
    """Print what the demo found, and where to look."""
    address = f"http://127.0.0.1:{port}"
    print_lines("", "The network's accuracy:")
    print_lines(
        *(f"  {value:6.1%}  {_ACCURACIES.get(name, name)}" for name, value in report.accuracy.items())
    )
    mark = report.mark
    print_lines(
        "",
        f"Unit {mark.unit} of {mark.layer} found the mark: {mark.strongest} of its 9 strongest images carry it, and a "
        f"marked image activates it more than another in {mark.auroc:.1%} of pairs.",
        "",
        "Look at:",
    )
    print_lines(*(f"  {address}{look.path}\n      {look.text}" for look in report.looks))


_ACCURACIES = {
    "train": "on the training part",
    "audited": "on the audited part",
    "marked": "on the class that carries the mark, where it is there",
    "unmarked": "on the same class, where it is not",
    "others": "on the other classes",
}

COMMAND = Command(
    name="demo",
    summary="run everything on a small made-up dataset, in about two minutes",
    description=(
        "Draws a dataset in which one class carries a small mark, trains a network that falls for it, sweeps,\n"
        "indexes, maps and serves it, and prints what to look at."
    ),
    arguments=(
        argument("FOLDER", nargs="?", default="demo", help="where to write it (default: %(default)s)"),
        argument("--no-serve", action="store_true", help="stop before serving"),
        PORT,
    ),
    run=run,
    resume="What is finished is kept; this goes on from there:",
)
