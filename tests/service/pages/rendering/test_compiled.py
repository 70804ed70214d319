"""Compiled templates are kept for the next start, and done without wherever they cannot be."""

import tempfile
from pathlib import Path

import jinja2
import pytest
from unitscope.service.pages.rendering.compiled_templates import compiled_before


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def rendered(folder, text="{{ 1 + 1 }} of {{ name }}"):
    """What a template says, in an environment as it is at a start."""
    (folder / "page.html").write_text(text)
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(folder), autoescape=True)
    environment.bytecode_cache = compiled_before()
    return environment.get_template("page.html").render(name="<b>")


def kept(folder):
    return list(folder.glob("_jinja2-cache-*/unitscope_*.cache"))


def test_a_template_is_compiled_at_the_first_start_alone(folder, monkeypatch):
    assert rendered(folder) == "2 of &lt;b&gt;"
    (file,) = kept(folder)
    assert file.parent.stat().st_mode & 0o077 == 0, "others cannot put code there"
    monkeypatch.setattr(jinja2.Environment, "compile", lambda *_, **__: pytest.fail("compiled again"))
    assert rendered(folder) == "2 of &lt;b&gt;"


def test_a_template_that_was_changed_is_compiled_again(folder):
    rendered(folder)
    assert rendered(folder, "now {{ name }}") == "now &lt;b&gt;"


@pytest.mark.parametrize("content", [b"", b"nonsense", b"j2" + b"\x80" * 50])
def test_a_damaged_file_is_not_read(folder, content):
    rendered(folder)
    (file,) = kept(folder)
    file.write_bytes(content)
    assert rendered(folder) == "2 of &lt;b&gt;"


def test_a_file_cut_short_is_not_read(folder):
    rendered(folder)
    (file,) = kept(folder)
    file.write_bytes(file.read_bytes()[:-40])
    assert rendered(folder) == "2 of &lt;b&gt;"


def test_without_a_folder_templates_are_compiled_each_time(folder, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "nowhere"))
    assert compiled_before() is None
    assert rendered(folder) == "2 of &lt;b&gt;"
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    cache = compiled_before()
    (folder / "a file").touch()
    cache.directory = str(folder / "a file")
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(folder), bytecode_cache=cache)
    assert environment.get_template("page.html").render(name="b") == "2 of b"


def test_a_folder_of_another_is_not_used(folder, monkeypatch):
    cache = compiled_before()
    Path(cache.directory).rmdir()
    (folder / "theirs").mkdir()
    Path(cache.directory).symlink_to(folder / "theirs")
    assert compiled_before() is None
