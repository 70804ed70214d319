"""The peak memory of a sweep's workers at a tenth of the images and at all of them.

    python -P benchmarks/memory.py --data FILE.parquet --model FILE.py:factory --weights FILE.safetensors

Runs `unitscope sweep` through Ray on the first tenth of the rows and on all, and reads each worker's peak resident
memory (VmHWM) while it lives. Linux only.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq


def peaks(data: Path, store: Path, options: argparse.Namespace) -> list[float]:
    """MiB of each sweep worker at its peak."""
    command = [sys.executable, "-P", "-m", "unitscope.cli.main", "sweep", str(data), str(store)]
    command += ["--model", options.model, "--weights", options.weights, "--workers", str(options.workers)]
    driver = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    seen: dict[int, float] = {}
    while driver.poll() is None:
        for worker in workers(driver.pid):
            seen[worker.pid] = max(seen.get(worker.pid, 0), high_water(worker.pid))
        time.sleep(0.1)
    if driver.returncode:
        sys.exit(driver.communicate()[1][-3000:])
    return sorted(seen.values())


def workers(driver: int) -> list[psutil.Process]:
    try:
        children = psutil.Process(driver).children(recursive=True)
        return [child for child in children if "SweepWorker" in " ".join(child.cmdline())]
    except psutil.Error:
        return []


def high_water(pid: int) -> float:
    """MiB; 0 where the process has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    images = pq.read_table(options.data)
    rows = images.num_rows
    found: dict[int, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for count in (rows // 10, rows):
            data = Path(folder) / f"{count}.parquet"
            pq.write_table(images.slice(0, count), data, row_group_size=1000)  # the same layout for both
            found[count] = peaks(data, Path(folder) / str(count), options)
    ratio = max(found[rows]) / max(found[rows // 10])
    print(json.dumps({"MiB": {str(count): values for count, values in found.items()}, "ratio": ratio}))


if __name__ == "__main__":
    main()
