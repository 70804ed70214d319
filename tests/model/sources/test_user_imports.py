"""What a factory's file puts on `sys.path` is in force while its factory and its network run, and never beyond."""

import sys
import threading
from textwrap import dedent

import pytest
import torch
from unitscope.model.feature.find_feature import find_feature
from unitscope.model.running.replica import replica
from unitscope.model.sources.load import load_model

HEAD = """
import sys, pathlib
from torch import nn
HERE = pathlib.Path(__file__).parent
PREPROCESS = {"resize": 8, "crop": 8, "mean": [0, 0, 0], "std": [1, 1, 1]}
"""

# How a file makes `parts/` importable, and where it imports from it.
WAYS = {
    "inserted by the file, imported by the factory": """
        sys.path.insert(0, str(HERE / "parts"))
        def net():
            from mylib.nets import build
            return build()
    """,
    "appended by the file, imported by the file": """
        sys.path.append(str(HERE / "parts"))
        from mylib.nets import build
        def net(): return build()
    """,
    "inserted and imported by the factory": """
        def net():
            sys.path.insert(1, str(HERE / "parts"))
            from mylib import nets
            return nets.build()
    """,
    "a module beside the file puts it there": """
        import beside
        def net():
            import mylib.nets
            return mylib.nets.build()
    """,
    "site": """
        import site
        site.addsitedir(str(HERE / "parts"))
        def net():
            from mylib.nets import build
            return build()
    """,
}

NETS = """
from torch import nn
class Lazy(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(192, 3)
    def forward(self, x):
        from mylib.shift import SHIFT
        import alone
        return self.fc(x.flatten(1)) * 0 + SHIFT + alone.MORE
def build(): return Lazy()
"""


def make(folder, way, shift):
    """The spec of a network whose outputs are all `shift`, from modules that it imports in `forward`."""
    (folder / "parts" / "mylib").mkdir(parents=True)
    files = {
        "net.py": HEAD + dedent(WAYS[way]),
        "beside.py": "import sys, pathlib\nsys.path.insert(0, str(pathlib.Path(__file__).parent / 'parts'))\n",
        "parts/mylib/__init__.py": "",
        "parts/mylib/nets.py": NETS,
        "parts/mylib/shift.py": f"SHIFT = {shift}\n",
        "parts/alone.py": "MORE = 0.5\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    return f"{folder}/net.py:net@random"


@pytest.mark.parametrize("way", WAYS)
def test_imports_in_factory_and_forward(way, tmp_path):
    path, modules = list(sys.path), set(sys.modules)
    model = load_model(make(tmp_path, way, 7))
    with torch.inference_mode():
        assert model.network(torch.zeros(1, 3, 8, 8)).tolist() == [[7.5] * 3]
    assert sys.path == path
    assert not {
        name for name in set(sys.modules) - modules if name.partition(".")[0] in ("mylib", "alone", "beside")
    }
    assert not list(tmp_path.rglob("__pycache__"))


def test_two_networks_of_one_process_with_modules_of_the_same_names(tmp_path):
    ways = list(WAYS)
    models = [
        load_model(make(tmp_path / str(shift), ways[shift % len(ways)], shift)) for shift in range(len(ways))
    ]
    with torch.inference_mode():
        for _ in range(2):
            for shift, model in enumerate(models):
                assert model.network(torch.zeros(1, 3, 8, 8))[0, 0] == shift + 0.5


def test_threads_and_copies(tmp_path):
    model = load_model(make(tmp_path / "one", "site", 1))
    other = load_model(make(tmp_path / "two", "site", 2))
    copies = [
        (replica(each.network, torch.zeros(2, 3, 8, 8)), shift)
        for each, shift in ((model, 1), (other, 2)) * 2
    ]
    wrong = []

    def run(network, shift):
        with torch.inference_mode():
            wrong.extend(1 for _ in range(50) if network(torch.zeros(1, 3, 8, 8))[0, 0] != shift + 0.5)

    threads = [threading.Thread(target=run, args=each) for each in copies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong and not any(thread.is_alive() for thread in threads)


def test_a_network_that_fails_or_exits_leaves_the_next_one_free(tmp_path):
    spec = make(tmp_path / "good", "site", 3)
    (tmp_path / "bad.py").write_text(
        HEAD
        + dedent("""
        class Bad(nn.Module):
            left = 1
            def forward(self, x):
                self.left -= 1
                if self.left < 0: sys.exit("enough")
                if x.shape[0] == 5: raise ValueError("five")
                return x.flatten(1)
        def bad(): return Bad()
    """)
    )
    path = list(sys.path)
    bad = load_model(f"{tmp_path}/bad.py:bad@random").network
    with pytest.raises(SystemExit):
        bad(torch.zeros(1, 3, 8, 8))
    good = load_model(spec).network
    assert good(torch.zeros(1, 3, 8, 8))[0, 0] == 3.5
    bad.left = 9
    with pytest.raises(ValueError, match="five"):
        bad(torch.zeros(5, 3, 8, 8))
    assert good(torch.zeros(1, 3, 8, 8))[0, 0] == 3.5
    assert sys.path == path


def test_a_module_that_a_program_has_imported_from_there_is_the_same(tmp_path, monkeypatch):
    spec = make(tmp_path, "inserted by the file, imported by the factory", 4)
    monkeypatch.syspath_prepend(tmp_path / "parts")
    import mylib.shift

    mylib.shift.SHIFT = 9
    try:
        assert load_model(spec).network(torch.zeros(1, 3, 8, 8))[0, 0] == 9.5
        assert sys.modules["mylib.shift"].SHIFT == 9
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] in ("mylib", "alone")]:
            del sys.modules[name]


def test_the_network_is_watched_like_any_other(tmp_path):
    model = load_model(make(tmp_path, "site", 5), need_weights=False)
    with pytest.raises(Exception, match="the same for different images"):
        find_feature(model.network, (8, 8))
