"""The files of the packages, as the tests of the walls read them."""

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("common", "model", "index", "jobs", "service", "cli")


def files() -> list[str]:
    """Every file of the packages, from the root."""
    return sorted(
        path.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / package).rglob("*.py")
    )


def module_of(file: str) -> str:
    return "unitscope." + file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
