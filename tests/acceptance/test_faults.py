"""Disks that fill up, folders that vanish, files that are damaged: a clear message, and nothing is lost."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from stopped_sweeps import half_swept
from unitscope.common.errors import DatasetError, StorageError, StoreError, UnitscopeError, UsageError
from unitscope.index.store.store import Store
from unitscope.index.verify.verify import verify
from unitscope.jobs.build.neighbors import neighbors
from unitscope.jobs.sweep import run as run_module
from unitscope.jobs.sweep.run import sweep

pytestmark = pytest.mark.timeout(300)
BUG = "this is a bug"

LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
from unitscope.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def cli(pixel_model, tmp_path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`cli(data, store, *options, limit=None)`: the command in a process, whose files end at `limit` bytes."""

    def run(
        data: Path, store: Path, *options: str, limit: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        code = LIMITED.format(limit="resource.RLIM_INFINITY" if limit is None else limit)
        command = [sys.executable, "-P", "-c", code, "sweep", str(data), str(store), "--model", pixel_model]
        command += [
            "--layers",
            "colours,pixels",
            "--workers",
            "0",
            "--batch-size",
            "16",
            "--k",
            "5",
            *options,
        ]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=200)

    return run


@pytest.mark.parametrize("limit", [2_000, 60_000])
def test_a_disk_that_is_full(limit, data, cli, whole, hashes, tmp_path) -> None:
    """The smaller limit ends the listing of the dataset, the larger a shard (of 16 x 771 values)."""
    store = tmp_path / "store"
    failed = cli(data, store, limit=limit)
    assert failed.returncode == 1, failed.stderr
    assert BUG not in failed.stderr and "Traceback" not in failed.stderr
    assert "The file would be larger" in failed.stderr
    assert (str(store) if limit > 10_000 else "a temporary file in ") in failed.stderr
    assert not (store / "manifest.json").exists()
    again = cli(data, store)
    assert again.returncode == 0, again.stderr
    assert hashes(store) == whole


def test_a_small_disk(data, config, cli, whole, hashes, tmp_path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "none", str(disk)]
    mounted = subprocess.run(mount, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("no right to mount a small disk")
    try:
        store = disk / "store"
        failed = cli(data, store)
        assert (failed.returncode, BUG in failed.stderr) == (1, False), failed.stderr
        assert "The disk is full" in failed.stderr
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        assert sweep(config(data, store)).images == 64
        assert hashes(store) == whole
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_dataset_that_vanishes_blames_no_image(data, config, whole, hashes, tmp_path, monkeypatch) -> None:
    store = half_swept(data, tmp_path / "store", config, monkeypatch)
    away = tmp_path / "away"
    original = run_module._Run._sweep

    def gone(self, left):
        data.rename(away)
        return original(self, left)

    with monkeypatch.context() as patch:
        patch.setattr(run_module._Run, "_sweep", gone)
        with pytest.raises(StorageError, match=f"{data} is not there any more"):
            sweep(config(data, store, max_error_rate=1.0))
    with pytest.raises(UsageError, match="does not exist"):
        sweep(config(data, store))
    away.rename(data)
    sweep(config(data, store))
    assert hashes(store) == whole


@pytest.mark.parametrize("damage", ["remove", "replace"])
def test_an_image_that_changes_after_it_was_swept_fails_the_pictures(
    damage, data, config, whole, hashes, tmp_path, monkeypatch
) -> None:
    """Without this its thumbnail would be missing, or show another image than the one that was swept."""
    store = half_swept(data, tmp_path / "store", config, monkeypatch, "pictures")
    image = data / "circle" / "0020.png"
    kept = image.read_bytes()
    each = run_module._Run._each

    def changed(self, name, *rest):
        if name == "pictures":
            image.unlink()
            if damage == "replace":
                image.write_bytes((data / "circle" / "0022.png").read_bytes())
        return each(self, name, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(run_module._Run, "_each", changed)
        with pytest.raises(DatasetError, match=r"circle/0020\.png is not what was swept any more"):
            sweep(config(data, store))
    image.write_bytes(kept)
    sweep(config(data, store))
    assert hashes(store) == whole


def test_a_store_that_cannot_be_written(data, config, tmp_path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises((StorageError, StoreError, UsageError), match="file"):
        sweep(config(data, tmp_path / "file"))
    with pytest.raises((StorageError, StoreError, UsageError), match="file"):
        sweep(config(data, tmp_path / "file" / "store"))
    with pytest.raises(StorageError, match="/proc/store"):  # not even root can make a folder there
        sweep(config(data, "/proc/store"))


def test_a_finished_store_that_is_damaged_is_told_by_verify(data, config, tmp_path) -> None:
    store = tmp_path / "store"
    sweep(config(data, store))
    assert verify(str(store)).ok
    part = next((store / "features").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-1])
    assert [problem.path for problem in verify(str(store)).problems] == ["features/part-00000.parquet"]


@pytest.mark.slow
def test_two_sweeps_started_at_once(data, cli, whole, hashes, tmp_path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    store = tmp_path / "store"
    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(lambda _: cli(data, store), range(2)))
    codes = sorted(end.returncode for end in ends)
    assert codes in ([0, 1], [0, 0])  # both, where one had ended before the other looked
    for end in ends:
        if end.returncode:
            assert f"{store} is being written by process" in end.stderr
            assert BUG not in end.stderr
    assert hashes(store) == whole


def test_a_dry_run_writes_nothing(data, cli, tmp_path) -> None:
    before = sorted(tmp_path.rglob("*"))
    done = cli(data, tmp_path / "store", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "Nothing was written." in done.stdout
    assert "64 images in 4 shards" in done.stdout
    assert sorted(tmp_path.rglob("*")) == before


def test_a_wrong_dataset_or_model_leaves_no_folder_behind(data, config, tmp_path) -> None:
    with pytest.raises(UsageError):
        sweep(config(tmp_path / "nowhere", tmp_path / "store"))
    with pytest.raises(UsageError):
        sweep(config(data, tmp_path / "store", model="torchvision:alexnet"))
    assert not (tmp_path / "store").exists()


def test_a_store_among_its_images_or_other_files_is_refused(data, config, tmp_path) -> None:
    with pytest.raises(UsageError, match="lies in DATA"):
        sweep(config(data, data))
    with pytest.raises(UsageError, match="lies in DATA"):
        sweep(config(data, data / "circle" / ".." / "store"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("mine")
    with pytest.raises(StoreError, match=r"thesis\.tex"):
        sweep(config(data, tmp_path / "home"))
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["thesis.tex"]


def test_other_classes_for_the_labels_are_another_sweep(data, config, tmp_path) -> None:
    classes = tmp_path / "classes.json"
    classes.write_text(json.dumps({"circle": 1, "square": 0}))
    sweep(config(data, tmp_path / "store"))
    with pytest.raises(StoreError, match="--classes"):
        sweep(config(data, tmp_path / "store", classes=str(classes)))


def test_an_unknown_device_is_wrong_usage(data, config, tmp_path, monkeypatch) -> None:
    with pytest.raises(UsageError, match="--device gpu: must be cpu, cuda"):
        config(data, tmp_path / "store", device="gpu")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(UsageError, match=r"--device cuda: .* sees 0 CUDA devices"):
        sweep(config(data, tmp_path / "store", device="cuda"))
    assert not (tmp_path / "store").exists()


def test_a_file_whose_network_has_changed_has_no_neighbours(data, pixel_model, config, tmp_path) -> None:
    """Its feature would be that of another network, or of other pixels."""
    network = tmp_path / "mine.py"
    network.write_text(Path(pixel_model.partition(":")[0]).read_text())
    image = data / "circle" / "0010.png"
    sweep(config(data, tmp_path / "store", model=f"{network}:pixels@random"))
    store = Store.open(str(tmp_path / "store"))
    found = neighbors(store, str(image), k=1)
    assert store.images_at(list(found.image_ids))[0]["uri"] == "circle/0010.png"
    with pytest.raises(UsageError, match=r"mine\.py is not an image"):
        neighbors(store, str(network))
    network.write_text(network.read_text().replace('"std": [1, 1, 1]', '"std": [1, 1, 2]'))
    with pytest.raises(UnitscopeError, match="has changed since this user swept the store"):
        neighbors(store, str(image))
