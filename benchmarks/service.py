"""The service: times of its answers in process and over HTTP, against a bare handler and raw FAISS in the same run.

    python -P benchmarks/service.py STORE [--requests 400] [--rounds 5] [--seconds 3]

STORE has an index. What is asked: a unit's nine strongest patches, the same under a filter that no request had before,
and the ten neighbours of an image, each of a random unit or image. The contenders take turns, round by round, so that
what else the machine does hits all alike; times are over all rounds, and nothing is warmed but by one request of each
kind. The bare handlers answer constant JSON of 3 kB, in a thread as ours do (`def`) or on the event loop (`async def`),
by the same server with the same settings. One keep-alive connection is driven from this process, eight by wrk. Requests
per second are compared with the bare handler's of the same round.
"""

import argparse
import http.client
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
from unitscope.service.queries import neighbors as nearest
from unitscope.service.queries.patches import PatchQuery, patches
from unitscope.service.stores.registry import Registry, ServedStore

BARE = """
import socket, sys, uvicorn
from fastapi import FastAPI, Response
app, data = FastAPI(), b'{"answer": "' + b'x' * 3000 + b'"}'
@app.get('/sync')
def sync():
    return Response(data, media_type='application/json')
@app.get('/async')
async def of_the_loop():
    return Response(data, media_type='application/json')
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
listener.bind(('127.0.0.1', 0))
print(f'http://127.0.0.1:{listener.getsockname()[1]}/', file=sys.stderr, flush=True)
config = uvicorn.Config(app, log_config=None, log_level='warning', access_log=False, server_header=False,
    timeout_keep_alive=30)
uvicorn.Server(config).run(sockets=[listener])
"""
WRK = """
local paths, turn = {}, 0
for line in io.lines("%s") do paths[#paths + 1] = line end
request = function() turn = turn + 1; return wrk.format("GET", paths[(turn - 1) %% #paths + 1]) end
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("WRK %%d %%d %%d %%d %%d\\n", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
"""
CONNECTIONS = 8
OURS = ("patches", "filtered", "neighbors")


class Asked:
    """Endless requests of each kind, as addresses and as calls in process; the same seed asks the same."""

    def __init__(self, served: ServedStore, seed: int, layers: list[str] | None = None) -> None:
        self.served = served
        self.random = random.Random(seed)
        store = served.store
        self.layers = [row for row in store.layers if layers is None or row.layer in layers]
        self.maxima = [
            row for row in self.layers if f"maxima/{row.layer}/part-00000.parquet" in store.manifest.files
        ]
        self.api = f"/api/v1/stores/{quote(served.name, safe='')}"

    def path(self, kind: str) -> str:
        """Return the address of a new request."""
        if kind in ("sync", "async"):
            return f"/{kind}"
        if kind == "neighbors":
            return f"{self.api}/neighbors?image={self._image()}"
        layer, unit = self._unit(self.maxima if kind == "filtered" else self.layers)
        where = f"?where={quote(self._filter())}" if kind == "filtered" else ""
        return f"{self.api}/layers/{quote(layer, safe='')}/units/{unit}/patches{where}"

    def call(self, kind: str) -> Callable[[], object]:
        """Return the same in process: from the question to the bytes of the answer."""
        if kind == "neighbors":
            image, near = self._image(), self.served.near().value
            return lambda: nearest.neighbors_of_image(self.served, near, image, nearest.Search()).json()
        layer, unit = self._unit(self.maxima if kind == "filtered" else self.layers)
        where = self._filter() if kind == "filtered" else None
        return lambda: patches(self.served, PatchQuery(layer, unit, where=where)).json()

    def raw(self) -> Callable[[], object]:
        """FAISS alone, with the parameters that the index was tuned to; without the exact distances after it."""
        ann = self.served.ann().value
        query = np.ascontiguousarray(ann.vectors.features[self._image()])[None]
        if ann.index is None:
            return lambda: ann.search(query, 10, exact=True)
        point = next(point for point in ann.points if point.k >= 10)
        index = ann.index
        return lambda: index.candidates(query, point.candidates + 1, point.probes)

    def _unit(self, layers: list[Any]) -> tuple[str, int]:
        row = self.random.choices(layers, [row.units for row in layers])[0]
        return row.layer, self.random.randrange(row.units)

    def _image(self) -> int:
        return self.random.randrange(self.served.store.images_count)

    def _filter(self) -> str:
        return f"correct and probability < {self.random.uniform(0.3, 1):.9f}"


@contextmanager
def server(command: list[str]) -> Generator[tuple[str, int, subprocess.Popen[str], float]]:
    """Host, port, process, and the time from its start to its first answer."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-P", *command], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        found = re.search(r"http://\S+", process.stderr.readline())
        if found is None:
            raise RuntimeError(f"{command[:3]} said no address")
        url = urlsplit(found[0])
        host, port = str(url.hostname), int(url.port or 0)
        ready = "/sync" if "-c" in command else "/readyz"
        while not _answers(host, port, ready):
            time.sleep(0.01)
        yield host, port, process, time.perf_counter() - began
    finally:
        process.terminate()
        process.wait()


def _answers(host: str, port: int, path: str) -> bool:
    try:
        connection = http.client.HTTPConnection(host, port, timeout=60)
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except ConnectionError:
        return False


class Connection:
    """One keep-alive connection that reads no more of an answer than it must, so that little of the time is its own."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._end = f" HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n"

    def get(self, path: str) -> bytes:
        """Return the body. Raises RuntimeError for anything but 200."""
        self._socket.sendall(f"GET {path}{self._end}".encode())
        data = b""
        while (split := data.find(b"\r\n\r\n")) < 0:
            data += self._more()
        length = re.search(rb"\r\ncontent-length: (\d+)", data[:split], re.IGNORECASE)
        if not data.startswith(b"HTTP/1.1 200 ") or length is None:
            raise RuntimeError(f"{path}: {data[:1000]!r}")
        while len(data) < split + 4 + int(length[1]):
            data += self._more()
        return data[split + 4 :]

    def _more(self) -> bytes:
        data = self._socket.recv(1 << 20)
        if not data:
            raise RuntimeError("the server has closed the connection")
        return data

    def close(self) -> None:
        self._socket.close()


def over_http(address: tuple[str, int], paths: list[str]) -> list[float]:
    """Milliseconds of each request, over one connection."""
    connection = Connection(*address)
    times = [timed(partial(connection.get, path)) for path in paths]
    connection.close()
    return times


def timed(action: Callable[[], object]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1e3


def wrk(address: tuple[str, int], paths: list[str], seconds: int, process: int) -> dict[str, float]:
    """Request per second, percentiles in ms and the server's processor time in µs for a request, which other load
    changes little, over several connections. Raises RuntimeError for a failed request."""
    before = processor_seconds(process)
    with tempfile.TemporaryDirectory() as folder:
        listed, script = Path(folder) / "paths", Path(folder) / "wrk.lua"
        listed.write_text("\n".join(paths))
        script.write_text(WRK % listed)
        url = f"http://{address[0]}:{address[1]}"
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script), url]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"WRK (\d+) (\d+) (\d+) (\d+) (\d+)", run.stdout)
    if found is None or int(found[5]):
        raise RuntimeError(f"wrk failed or saw failures: {run.stdout[-500:]} {run.stderr[-500:]}")
    requests, duration, p50, p99 = (int(found[place]) for place in range(1, 5))
    used = (processor_seconds(process) - before) / requests * 1e6
    return {"per_second": requests / duration * 1e6, "p50": p50 / 1e3, "p99": p99 / 1e3, "cpu_us": used}


def processor_seconds(process: int) -> float:
    """Return that a process has used, of user and system."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(process: int) -> dict[str, float]:
    """MB: resident in all, of it anonymous (its own) and of mapped files (given back when others need it)."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    found = {name: value for name, _, value in (line.partition(":") for line in lines)}
    return {name: int(found[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon", "RssFile")}


def measure(store: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return everything, as one dictionary."""
    registry = Registry([store])
    served = registry.get(registry.names()[0]).value
    asked = Asked(served, options.seed, options.layers)
    times: dict[str, list[float]] = {}
    loads: dict[str, list[dict[str, float]]] = {}
    with ExitStack() as stack:
        bare = stack.enter_context(server(["-c", BARE]))
        ours = stack.enter_context(server(["-m", "unitscope.cli.main", "serve", store, "--port", "0"]))
        said: dict[str, Any] = {"starts_s": round(ours[3], 2), "memory_at_start": memory(ours[2].pid)}
        hosts = {"sync": bare[:2], "async": bare[:2], **dict.fromkeys(OURS, ours[:2])}
        for kind, address in hosts.items():
            times[f"first {kind}"] = over_http(address, [asked.path(kind)])
        for _ in range(options.rounds):
            for kind, address in hosts.items():
                paths = [asked.path(kind) for _ in range(options.requests)]
                times.setdefault(f"http {kind}", []).extend(over_http(address, paths))
            for kind in OURS:
                calls = [asked.call(kind) for _ in range(options.requests)]
                times.setdefault(f"in process {kind}", []).extend(map(timed, calls))
            calls = [asked.raw() for _ in range(options.requests)]
            times.setdefault("raw faiss", []).extend(map(timed, calls))
        pids = {kind: (ours if kind in OURS else bare)[2].pid for kind in hosts}
        for _ in range(options.rounds):
            for kind, address in hosts.items():
                paths = [asked.path(kind) for _ in range(20_000)]
                loads.setdefault(kind, []).append(wrk(address, paths, options.seconds, pids[kind]))
        said["memory_at_end"] = memory(ours[2].pid)
    said["ms"] = {
        name: {"p50": round(median(values), 3), "p99": round(float(np.percentile(values, 99)), 3)}
        for name, values in times.items()
    }
    said["load"] = {
        kind: {
            **{name: round(median(run[name] for run in runs), 2) for name in runs[0]},
            **{
                f"of_{base}": round(
                    median(
                        run["per_second"] / other["per_second"]
                        for run, other in zip(runs, loads[base], strict=True)
                    ),
                    2,
                )
                for base in ("sync", "async")
            },
        }
        for kind, runs in loads.items()
    }
    said["load_average"] = os.getloadavg()
    said["images"], said["width"] = served.store.images_count, served.store.features.width
    return said


def table(said: dict[str, Any]) -> str:
    """Return it as RESULTS.md shows it."""
    ms, load = said["ms"], said["load"]
    lines = [
        "| request | in process, ms (p50, p99) | HTTP, ms (p50, p99) | requests/s of 8 | ÷ `def` | ÷ `async def` "
        "| processor, µs |",
        "|---|---|---|---|---|---|---|",
    ]
    for kind, name in (
        ("sync", "bare `def`"),
        ("async", "bare `async def`"),
        *((kind, kind) for kind in OURS),
    ):
        inside = ms.get(f"in process {kind}")
        shown = f"{inside['p50']:.2f} / {inside['p99']:.2f}" if inside else "–"
        http_ms, run = ms[f"http {kind}"], load[kind]
        lines.append(
            f"| {name} | {shown} | {http_ms['p50']:.2f} / {http_ms['p99']:.2f} | {run['per_second']:.0f} "
            f"| {run['of_sync']} | {run['of_async']} | {run['cpu_us']:.0f} |"
        )
    raw = ms["raw faiss"]
    lines.append(f"| raw faiss | {raw['p50']:.2f} / {raw['p99']:.2f} | – | – | – | – | – |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store")
    parser.add_argument("--requests", type=int, default=400, help="of each kind in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each run of wrk")
    parser.add_argument("--layers", nargs="*", help="whose units are asked for; default: all")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        parser.error("needs wrk: `apt-get install wrk`")
    said = measure(options.store, options)
    print(table(said))
    print(json.dumps(said))


if __name__ == "__main__":
    main()
