"""The files of deploy/ agree with the command and the pinned versions. They are read here, not run."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from unitscope.cli.main import parser

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def job():
    return yaml.safe_load((DEPLOY / "rayjob.yaml").read_text())


def test_the_services_commands_parse(compose):
    for service in compose["services"].values():
        parser().parse_args(service["command"])


def test_the_service_is_on_the_loopback_address_only(compose):
    assert compose["services"]["serve"]["ports"] == ["127.0.0.1:8000:8000"]


def test_the_service_writes_nothing(compose):
    for service in compose["services"].values():
        assert service["read_only"] is True
        assert all(volume.endswith(":ro") for volume in service["volumes"])


def test_the_jobs_entrypoint_parses(job):
    words = shlex.split(job["spec"]["entrypoint"])
    assert words[0] == "unitscope"
    assert parser().parse_args(words[1:]).ray_address == "auto"


def test_the_jobs_ray_is_the_pinned_one(job):
    pinned = re.search(r"^ray==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)[1]
    assert job["spec"]["rayClusterSpec"]["rayVersion"] == pinned


def test_every_package_is_in_the_image():
    packages = set(
        re.findall(r'^"unitscope\.(\w+)" = "\w+"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    )
    copied = set(re.findall(r"^COPY (\w+) \w+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE))
    kept = set(re.findall(r"^!(\w+)$", (DEPLOY / "Dockerfile.dockerignore").read_text(), re.MULTILINE))
    assert packages | {"unitscope"} == copied
    assert copied <= kept
