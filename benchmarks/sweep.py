"""The sweep against its bound, the obvious Ray Data pipeline, and itself on ten times the images.

    python benchmarks/sweep.py --cifar FILE.parquet --photographs FOLDER --network FILE.py --weights FILE.safetensors

The bound is `benchmarks/bare.py` in its best way (decoder, use of the cores) on the same images, recording
nothing. They run in turn, several rounds; medians and their ratio are printed, and one JSON line for `RESULTS.md`.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WAYS = ("lanes", "pipeline1", "pipeline2")
DECODERS = ("torchcodec", "pillow")
TRY = 1500
"""Images on which the ways of the bound are compared before the best is measured on all."""


def run(command: list[str]) -> str:
    """Return the standard output of a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr[-3000:]}")
    return done.stdout


def bare(case: dict[str, Any], way: str, decoder: str, limit: int | None = None) -> float:
    """Images a second of the bound."""
    command = [sys.executable, str(HERE / "bare.py"), "--network", case["bare"], "--data", case["data"]]
    command += ["--way", way, "--decoder", decoder, "--batch", str(case["batch"])]
    return float(run(command + (["--limit", str(limit)] if limit else [])))


def swept(case: dict[str, Any], workers: int) -> dict[str, float]:
    """Images a second from first decode to last commit, and the merge's seconds ÷ the sweep's."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-P", "-m", "unitscope.cli.main", "sweep", case["data"], f"{folder}/store"]
        command += [
            "--model",
            case["spec"],
            "--json",
            "--workers",
            str(workers),
            "--batch-size",
            str(case["batch"]),
        ]
        command += [] if case["weights"] is None else ["--weights", case["weights"]]
        command += [] if case["layers"] is None else ["--layers", case["layers"]]
        report = json.loads(run(command))
    seconds = report["seconds"]
    return {"rate": report["swept"] / seconds["sweep"], "merge": seconds["merge"] / seconds["sweep"]}


def ray_data(case: dict[str, Any]) -> float:
    """Images a second of `read_images` + `map_batches`."""
    return float(
        run([sys.executable, str(HERE / "ray_data.py"), "--data", case["data"], "--network", case["bare"]])
    )


def measure(case: dict[str, Any], rounds: int) -> dict[str, Any]:
    """Bound, sweep in process and sweep through Ray, in turn."""
    tried = {(way, decoder): bare(case, way, decoder, TRY) for way in WAYS for decoder in DECODERS}
    way, decoder = max(tried, key=lambda one: tried[one])
    rows: dict[str, list[float]] = {"bound": [], "in process": [], "ray": [], "merge": [], "ray merge": []}
    for _ in range(rounds):
        rows["bound"].append(bare(case, way, decoder))
        local = swept(case, 0)
        rows["in process"].append(local["rate"])
        rows["merge"].append(local["merge"])
        if case["ray"]:
            remote = swept(case, case["ray"])
            rows["ray"].append(remote["rate"])
            rows["ray merge"].append(remote["merge"])
    result: dict[str, Any] = {"case": case["name"], "bound's way": f"{way}, {decoder}"}
    result |= {name: statistics.median(values) for name, values in rows.items() if values}
    result["in process / bound"] = statistics.median(
        a / b for a, b in zip(rows["in process"], rows["bound"], strict=True)
    )
    if rows["ray"]:
        result["ray / bound"] = statistics.median(
            a / b for a, b in zip(rows["ray"], rows["bound"], strict=True)
        )
    if case["peer"]:
        result["ray data"] = ray_data(case)
        result["in process / ray data"] = result["in process"] / result["ray data"]
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cifar", required=True)
    parser.add_argument("--photographs", required=True)
    parser.add_argument("--network", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ray-workers", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--only", choices=["cifar", "alexnet", "resnet18"], action="append")
    options = parser.parse_args()
    photographs = {
        "data": options.photographs,
        "weights": None,
        "batch": options.batch,
        "ray": options.ray_workers,
    }
    spec = f"{options.network}:cifar10_alexnet"
    basic = "conv1,*conv?,fc"
    cifar = {
        "data": options.cifar,
        "weights": options.weights,
        "batch": options.batch,
        "ray": options.ray_workers,
    }
    usual: dict[str, Any] = {"layers": None, "peer": False}
    cases: list[dict[str, Any]] = [
        usual | cifar | {"name": "cifar", "bare": options.network, "spec": spec},
        usual
        | photographs
        | {"name": "alexnet", "bare": "alexnet", "spec": "torchvision:alexnet@random", "peer": True},
        usual
        | photographs
        | {"name": "resnet18", "bare": "resnet18", "spec": "torchvision:resnet18@random", "layers": basic},
    ]
    for case in cases:
        if options.only is None or case["name"] in options.only:
            print(json.dumps(measure(case, options.rounds)), flush=True)


if __name__ == "__main__":
    main()
