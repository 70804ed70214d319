"""Tiles drawn by Ray's workers: the bytes of this process, whoever draws, and whoever dies meanwhile."""

import io
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from unitscope.index.atlas.atlas import Atlas, list_atlases
from unitscope.index.atlas.tiles import packs_of
from unitscope.index.atlas.writer import write_atlas
from unitscope.index.storage.folder import Folder
from unitscope.index.storage.packs import write_pack
from unitscope.index.store.thumbs import Thumbs

IMAGES = 5000
PARTS = (3000, 2000)


def jpegs():
    for image in range(IMAGES):
        file = io.BytesIO()
        colours = np.random.default_rng(image % 100).integers(0, 256, (4, 4, 3), np.uint8)
        Image.fromarray(colours).resize((32, 32)).save(file, "JPEG")
        yield file.getvalue()


def coordinates():
    random = np.random.default_rng(0)
    return (random.normal(size=(IMAGES, 2)) * random.uniform(0.1, 1, (IMAGES, 1))).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    folder, made = Folder(str(tmp_path / "store")), list(jpegs())
    write_pack(folder, "thumbs", 0, made[: PARTS[0]])
    write_pack(folder, "thumbs", 1, made[PARTS[0] :])
    return folder


def write(folder, **more):
    with Thumbs(folder, PARTS) as thumbs:
        write_atlas(folder, "flat", np.arange(IMAGES), coordinates(), thumb=thumbs.get, **more)


def files(folder):
    root = Path(folder.url) / "atlas"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def packs_there(folder):
    """The finished packs, and when they were written."""
    return {
        path: Path(folder.path(path)).stat().st_mtime_ns
        for path in folder.list("atlas/flat/tiles")
        if path.endswith(".arrow")
    }


def test_any_number_of_workers_writes_the_same_bytes(folder):
    write(folder)
    here = files(folder)
    assert len(packs_of(Atlas.open(folder, "flat").manifest["tiles"])) > 8
    folder.remove_tree("atlas")
    child = f"""
        import sys, numpy as np
        from unitscope.index.storage.folder import Folder
        from unitscope.jobs.build.tiles import draw_on_ray
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_tiles import PARTS, write
        folder = Folder({folder.url!r})
        write(folder, draw_all=draw_on_ray(folder.url, PARTS, workers=2))
        assert not {{"torch", "faiss"}} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-P", "-c", textwrap.dedent(child)], check=True, timeout=300)
    assert files(folder) == here


def test_kills_at_any_time_leave_nothing_that_is_served_or_stays(folder):
    write(folder)
    whole = files(folder)
    folder.remove_tree("atlas")
    child = textwrap.dedent(f"""
        import sys
        from unitscope.index.storage.folder import Folder
        from unitscope.jobs.lock import writing
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from test_tiles import write
        folder = Folder({folder.url!r})
        with writing(folder):
            print("begun", flush=True)
            write(folder, threads=2)
    """)
    kept: dict[str, int] = {}
    for packs in (0, 2, 9):
        process = subprocess.Popen([sys.executable, "-P", "-c", child], stdout=subprocess.PIPE)
        process.stdout.readline()
        while process.poll() is None and len(packs_there(folder)) < packs:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        for name in list_atlases(folder):  # it was quick enough
            assert len(Atlas.open(folder, name).images) == IMAGES
        assert kept.items() <= packs_there(folder).items()
        kept = packs_there(folder)
    subprocess.run([sys.executable, "-P", "-c", child], check=True, timeout=120, stdout=subprocess.DEVNULL)
    assert kept and kept.items() <= packs_there(folder).items()
    assert files(folder) == whole
