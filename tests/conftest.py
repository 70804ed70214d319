"""What every test may need: the real data, the promise that it is there, a CUDA device or a skip, an S3 server.

Tests with real data read `UNITSCOPE_TEST_DATA` (the folder that holds `data/` and `models/`) and skip where it is not
set. With UNITSCOPE_REQUIRE_DATA=1 the data is promised, and a skip for want of it is a failure.
"""

import importlib.util
import os
import tempfile
import uuid
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import pytest

pytest.register_assert_rewrite("storage_tests")

DATA = "UNITSCOPE_TEST_DATA"
REQUIRE = "UNITSCOPE_REQUIRE_DATA"
ARTIFACTS = Path(__file__).parent.parent / "test-artifacts"

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


def pytest_configure(config: pytest.Config) -> None:
    """Keeps what sweeps remember out of the user's own folder; stops at once where the promised data is not there."""
    state = tempfile.TemporaryDirectory(prefix="unitscope-state-")
    config.add_cleanup(state.cleanup)
    os.environ["XDG_STATE_HOME"] = state.name
    if os.environ.get(REQUIRE) != "1":
        return
    folder = Path(os.environ.get(DATA, ""))
    if not os.environ.get(DATA) or not (folder / "data").is_dir() or not (folder / "models").is_dir():
        raise pytest.UsageError(
            f"{REQUIRE}=1, but {DATA}={os.environ.get(DATA, '')!r} is not a folder with data/ and models/ in it"
        )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the files with slow tests first, so that the workers of xdist, which take a file each, end together."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Writes the slowest tests and files into test-artifacts/durations.txt, where `--durations` asks for them."""
    if config.option.durations:
        reports = [
            one for group in terminalreporter.stats.values() for one in group if hasattr(one, "duration")
        ]
        ARTIFACTS.mkdir(exist_ok=True)
        (ARTIFACTS / "durations.txt").write_text(_durations(reports, config.option.durations))


def _durations(reports: list[pytest.TestReport], most: int) -> str:
    """Lines of seconds and what took them: tests, then whole files."""
    tests, files = Counter[str](), Counter[str]()
    for report in reports:
        tests[f"{report.nodeid} ({report.when})"] += report.duration
        files[report.nodeid.partition("::")[0]] += report.duration
    shown = [*tests.most_common(most), ("", 0.0), *files.most_common(most)]
    return "".join(f"{seconds:8.2f} {name}\n" if name else "\n" for name, seconds in shown)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips what this machine cannot run, and says why."""
    if item.get_closest_marker("data") and DATA not in os.environ:
        pytest.skip(f"needs the real data: {DATA} is not set")
    if item.get_closest_marker("cuda"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """See `_promised`."""
    return _promised((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """See `_promised`; for modules that skip as a whole."""
    return _promised((yield))


def _promised(report: Report) -> Report:
    """A skip for want of data that was promised is a failure."""
    if report.skipped and DATA in _reason(report) and os.environ.get(REQUIRE) == "1":
        report.outcome = "failed"
        report.longrepr = f"{REQUIRE}=1 promises the real data, but this was skipped: {_reason(report)}"
    return report


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Why a test was skipped: pytest keeps (path, line, reason)."""
    return str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder that holds `data/` and `models/`; the test skips where there is none."""
    if DATA not in os.environ:
        pytest.skip(f"needs the real data: {DATA} is not set")
    return Path(os.environ[DATA])


@pytest.fixture(scope="session")
def synthetic():
    """The module tests/synthetic_store.py: small finished stores without a model."""
    path = Path(__file__).with_name("synthetic_store.py")
    spec = importlib.util.spec_from_file_location("synthetic_store", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def s3_server():
    """The URL of a local S3 server."""
    server_module = pytest.importorskip("moto.server")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_bucket(s3_server, monkeypatch):
    """The URL of a new, empty bucket."""
    import boto3
    import s3fs

    for name, value in {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    bucket = f"test-{uuid.uuid4().hex}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    yield f"s3://{bucket}"
    s3fs.S3FileSystem.clear_instance_cache()
