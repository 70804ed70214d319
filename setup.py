"""Adds one step to what pyproject.toml says: a wheel holds the pages' scripts, which service/web/build.py builds."""

import importlib.util
from pathlib import Path

from setuptools import Command, setup
from setuptools.command.build import build

ROOT = Path(__file__).resolve().parent
_spec = importlib.util.spec_from_file_location("unitscope_web_build", ROOT / "service" / "web" / "build.py")
assert _spec is not None
assert _spec.loader is not None
web = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(web)


class BuildWeb(Command):
    """Builds the scripts before their files are collected; a source distribution holds what they are made from."""

    editable_mode = False

    def initialize_options(self) -> None:
        """There are none."""

    def finalize_options(self) -> None:
        """There are none."""

    def run(self) -> None:
        """Do nothing where they are built."""
        web.build()

    def get_source_files(self) -> list[str]:
        """For source distributions."""
        files = [*web.sources(), *(path for path in web.OUT.glob("*") if web.is_built())]
        return [path.relative_to(ROOT).as_posix() for path in files]

    def get_outputs(self) -> list[str]:
        """None of its own: they are package data of unitscope.service."""
        return []

    def get_output_mapping(self) -> dict[str, str]:
        """None of its own."""
        return {}


class Build(build):
    """The usual steps, after ours."""

    sub_commands = [("build_web", None), *build.sub_commands]  # noqa: RUF012 - setuptools' own shape


setup(cmdclass={"build": Build, "build_web": BuildWeb}, setup_requires=web.requirements())
