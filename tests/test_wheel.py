"""The built wheel holds `unitscope/` and nothing else, and runs in a clean environment outside the checkout."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("common", "model", "index", "jobs", "service", "cli")
WEB = "service/web"
"""What the pages' scripts are made from: in a source distribution, not in a wheel."""
DECOYS = ("common", "model", "index", "jobs", "service", "cli", "unitscope_model")

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """A wheel of this checkout, built from a copy, so that no leftovers of other builds come along."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    copy(source, shipped())
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
    files = {name for name in shipped() if name.split("/")[0] in PACKAGES and not name.startswith(WEB)}
    own = {name for name in shipped() if name.startswith("unitscope/")}
    assert held == own | {f"unitscope/{name}" for name in files if not name.endswith("/.sources")}


def test_the_wheel_holds_the_scripts_that_the_pages_name(wheel) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    templates = (ROOT / "service" / "templates").glob("*.html")
    named = {name for path in templates for name in re.findall(r"/(static/build/[\w.-]+)", path.read_text())}
    assert {f"unitscope/service/{name}" for name in named} <= held
    assert len(named) == 2


@pytest.mark.slow
def test_a_source_distribution_is_enough_for_a_wheel_with_scripts(tmp_path) -> None:
    """As from a clone: nothing is built yet. The npm packages are those of the checkout, as there may be no network."""
    packages = ROOT / WEB / "node_modules"
    if not packages.is_dir():
        pytest.skip("needs service/web/node_modules, which `make setup` leaves where it builds the scripts")
    source, out, apart = tmp_path / "source", tmp_path / "out", tmp_path / "apart"
    copy(source, [name for name in shipped() if not name.startswith("service/static/build/")])
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out)]
    run([*build, "--sdist", str(source)], cwd=source)
    with tarfile.open(next(out.glob("*.tar.gz"))) as archive:
        archive.extractall(apart, filter="data")
    (folder,) = apart.iterdir()
    os.utime(folder / WEB / "package-lock.json", (0, 0))  # so that the packages are newer
    (folder / WEB / "node_modules").symlink_to(packages)
    run([*build, "--wheel", str(folder)], cwd=folder)
    held = set(zipfile.ZipFile(next(out.glob("*.whl"))).namelist())
    assert {f"unitscope/service/static/build/{name}" for name in ("atlas.js", "live.js")} <= held


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
    for command in ([str(unitscope)], [str(python), "-P", "-m", "unitscope"]):
        assert run([*command, "--version"], cwd=elsewhere).stdout == f"unitscope {version}\n"
    assert "complete" in run([str(unitscope), "--print-completion", "bash"], cwd=elsewhere).stdout
    shown = run([str(python), "-P", "-c", "import unitscope; print(unitscope.__version__)"], cwd=elsewhere)
    assert shown.stdout == f"{version}\n"


def test_it_lists_the_layers_of_a_users_model_between_decoys(unitscope, elsewhere) -> None:
    shown = run([str(unitscope), "layers", "./model.py:tiny"], cwd=elsewhere).stdout
    assert re.search(r"^\*\s+0\s+map\s+4\s+14x14\s+3x3", shown, re.MULTILINE)


def shipped() -> list[str]:
    """What a wheel is made from: the files of the packages, and those that pyproject.toml names."""
    folders = (*PACKAGES, "unitscope")
    files = (path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file())
    named = (ROOT / name for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"))
    names = (path.relative_to(ROOT).as_posix() for path in (*files, *named))
    return sorted(name for name in names if not {"__pycache__", "node_modules"} & set(name.split("/")))


def copy(target: Path, names: list[str]) -> None:
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target / name)


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
