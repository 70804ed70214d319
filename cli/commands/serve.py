"""`unitscope serve STORE…`: the query service and its pages."""

import gc
from argparse import Namespace

from .. import argument_types as values
from ..command import TRUST_DATA, TRUST_MODEL, Command, argument


def run(arguments: Namespace) -> int:
    """Serve until it is stopped; Ctrl-C is the ordinary way to stop it."""
    gc.disable()  # what is imported stays: to look for garbage in it is a tenth of the start
    try:
        from ...service.server import serve
        from ...service.stores.trusted import Trusted
    finally:
        gc.enable()

    serve(
        arguments.store,
        host=arguments.host,
        port=arguments.port,
        log=arguments.log,
        live_threads=None if arguments.no_live else arguments.live_threads,
        trust=Trusted(
            arguments.trust_model,
            arguments.trust_data,
            arguments.model,
            arguments.weights,
            arguments.data,
            arguments.store,
        ),
        allowed_hosts=arguments.allowed_host,
    )
    return 0


PORT = argument(
    "--port", metavar="PORT", type=values.port, default=8000, help="0 picks a free one (default: %(default)s)"
)
"""Shared with `demo`."""

COMMAND = Command(
    name="serve",
    summary="serve the API and the pages, on the loopback address",
    description=(
        "Answers over HTTP and shows pages, until Ctrl-C.\n"
        "Only this machine can reach it unless --host says otherwise; there is no login.\n"
        "A store of somebody else is data: its code is not run and its dataset not read unless you allow it."
    ),
    arguments=(
        argument("STORE", nargs="+", help="finished stores"),
        argument("--host", default="127.0.0.1", help="the address to listen on (default: %(default)s)"),
        argument(
            "--allowed-host",
            metavar="NAME",
            action="append",
            default=[],
            help="a further name that requests may use as Host, besides localhost and --host; may be repeated",
        ),
        PORT,
        argument(
            "--live-threads",
            metavar="N",
            type=values.whole(1, 256),
            default=1,
            help="threads of the process that runs the network for uploads, regions and the camera; it starts with the "
            "first such request (default: %(default)s)",
        ),
        argument(
            "--no-live",
            action="store_true",
            help="never run the network; everything precomputed is still served",
        ),
        TRUST_MODEL,
        TRUST_DATA,
        argument(
            "--model",
            metavar="[STORE=]SPEC",
            action="append",
            default=[],
            help="the network of STORE, in place of the one that it names, as for `sweep`",
        ),
        argument(
            "--weights",
            metavar="[STORE=]FILE",
            action="append",
            default=[],
            help="its weights, in place of the file that it names",
        ),
        argument(
            "--data",
            metavar="[STORE=]PATH",
            action="append",
            default=[],
            help="where the images of STORE are now",
        ),
        argument(
            "--log",
            choices=("json", "text", "off"),
            default="off",
            help="log a line for each request to stderr; failures are always logged (default: %(default)s)",
        ),
    ),
    run=run,
)
