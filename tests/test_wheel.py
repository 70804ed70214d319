"""The built wheel holds `unitscope/` and nothing else, and runs in a clean environment outside the checkout."""

import os
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("common", "model", "index", "jobs", "service", "cli")
DECOYS = ("common", "model", "index", "jobs", "service", "cli", "unitscope_model")

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel of this checkout, built from a copy, so that no leftovers of other builds come along."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in shipped():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)],
        cwd=source,
    )
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def unitscope(wheel, tmp_path_factory) -> Path:
    """The command in a new environment: the wheel, and the libraries (but not the checkout) of this one."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=False, symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    # The path alone, not its .pth files: one of those is what makes the checkout importable here.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-deps"]
    run([*install, "--python", str(folder / "bin" / "python"), str(wheel)], cwd=folder)
    return folder / "bin" / "unitscope"


@pytest.fixture
def elsewhere(tmp_path) -> Path:
    """A folder like a user's own model repository, with folders called as ours are."""
    for name in DECOYS:
        (tmp_path / name).mkdir()
        for file in ("__init__.py", "store.py", "main.py", "load.py", "errors.py"):
            (tmp_path / name / file).write_text("raise ImportError('a decoy was imported')\n")
    (tmp_path / "model.py").write_text(MODEL)
    return tmp_path


MODEL = """
from torch import nn

PREPROCESS = {"resize": 16, "crop": 16, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "interpolation": "bilinear"}
CLASSES = ["cat", "dog"]

def tiny():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(784, 2))
"""


def test_the_wheel_holds_only_unitscope(wheel) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert "unitscope" in tops
    assert {one for one in tops if not re.fullmatch(r"unitscope(-[\d.]+\.dist-info)?", one)} == set()


def test_the_wheel_holds_every_file_of_the_packages(wheel) -> None:
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("unitscope/")}
    assert held == {f"unitscope/{name}" for name in shipped() if name.split("/")[0] in PACKAGES}


def test_every_package_says_that_it_is_typed(wheel) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    assert {f"unitscope/{package}/py.typed" for package in PACKAGES} <= held


def test_the_wheel_names_its_licence(wheel) -> None:
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    assert "License-Expression: Apache-2.0" in archive.read(metadata).decode()
    assert any(name.endswith("/LICENSE") for name in archive.namelist())


def test_it_runs_where_the_checkout_cannot_be_imported(unitscope, elsewhere) -> None:
    python = unitscope.with_name("python")
    where = run(
        [str(python), "-P", "-c", "import unitscope.cli.main as m; print(m.__file__)"], cwd=elsewhere
    ).stdout
    assert str(ROOT) not in where
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
    assert run([str(unitscope), "--version"], cwd=elsewhere).stdout == f"unitscope {version}\n"


def test_it_lists_the_layers_of_a_users_model_between_decoys(unitscope, elsewhere) -> None:
    shown = run([str(unitscope), "layers", "./model.py:tiny"], cwd=elsewhere).stdout
    assert re.search(r"^\*\s+0\s+map\s+4\s+14x14\s+3x3", shown, re.MULTILINE)


def shipped() -> list[str]:
    """What a wheel is made from: the files of the packages, and those that pyproject.toml names."""
    files = (path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.is_file())
    named = (ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE"))
    return sorted(
        path.relative_to(ROOT).as_posix() for path in (*files, *named) if path.parent.name != "__pycache__"
    )


def run(command: list[str], *, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")
    }
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done
