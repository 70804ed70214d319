"""The example notebook and the page on the client run against a real store; the notebook holds no outputs."""

import inspect
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

DOCS = Path(__file__).parents[3] / "docs"
NOTEBOOKS = sorted((DOCS / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def ran(live, tmp_path_factory):
    """Every notebook with the outputs of a run against `unitscope serve`, by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UNITSCOPE_URL", str(live.base_url))
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        patch.setenv("PYTHONSAFEPATH", "1")
        books = {path.stem: nbformat.read(path, as_version=4) for path in NOTEBOOKS}
        for book in books.values():
            NotebookClient(
                book, timeout=120, kernel_name="python3", resources={"metadata": {"path": "/"}}
            ).execute()
    return books


def outputs(book):
    return [output for cell in book.cells for output in cell.get("outputs", [])]


@pytest.mark.slow
def test_it_walks_the_three_questions(ran):
    shown = [output.data.get("text/html", "") for output in outputs(ran["audit"]) if "data" in output]
    with_pictures = [
        text for text in shown if "data:image/jpeg;base64," in text or "data:image/png;base64," in text
    ]
    assert len(with_pictures) >= 5
    assert sum("<table" in text for text in shown) >= 2
    assert sum("image/png" in output.get("data", {}) for output in outputs(ran["audit"])) == 2
    assert all("Random weights" in text for text in with_pictures)


@pytest.mark.slow
def test_nothing_is_written_on_stderr(ran):
    assert [one for one in outputs(ran["audit"]) if one.get("name") == "stderr"] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_kept_without_outputs(path):
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    for cell in book.cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None


def test_the_examples_on_the_page_run(kit, mapped):
    with kit.answering(mapped, live=None) as url:
        run_examples(url)


def run_examples(url):
    here = {"http://127.0.0.1:8000": url, "photos": "mapped", '"umap"': '"pca"'}
    here |= {
        '"features.10", 17': '"block", 1',
        '"units:features.10", 17': '"units:block", 1',
        "features.10": "block",
        "unit=17": "unit=1",
    }
    here |= {"range(8)": "range(2)", "correct = false": "loss > 0 or loss <= 0 or label != 'x'"}
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "client.md").read_text(), re.DOTALL)
    assert len(blocks) == 5
    names = {}
    for block in blocks:
        for there, instead in here.items():
            block = block.replace(there, instead)  # noqa: PLW2901
        exec(block, names)
    assert len(names["frame"]) == len(names["patches"]) > 0
    assert len(names["everything"]) > 1
    assert names["unit"].unit == 1
    assert names["cell"] is None or names["cell"].samples
    assert len(names["images"]) == names["store"].region("pca", names["left"]).items > 0
    names["client"].close()


def test_the_page_names_every_question():
    from unitscope.service.client.endpoint import asks, lists
    from unitscope.service.client.store_endpoints import StoreQuestions

    text = (DOCS / "client.md").read_text()
    for name, method in inspect.getmembers(StoreQuestions):
        if isinstance(method, asks | lists):
            assert f"`{name}(" in text, name
