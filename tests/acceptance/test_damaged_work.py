"""What a stopped sweep left is found damaged by the run that goes on: made again, or a clear error that says how."""

import shutil

import pytest
from stopped_sweeps import half_swept
from unitscope.common.errors import StoreDamagedError, SweepError
from unitscope.jobs.sweep.run import sweep

pytestmark = pytest.mark.timeout(300)
IMAGES = 64


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 1}', '{"version": 99}'])
def test_a_damaged_plan(text, data, config, whole, hashes, tmp_path, monkeypatch) -> None:
    store = half_swept(data, tmp_path / "store", config, monkeypatch)
    plan = store / ".work" / "plan.json"
    plan.write_text(text)
    with pytest.raises((StoreDamagedError, SweepError), match="plan"):
        sweep(config(data, store))
    plan.unlink()  # as the message says
    assert sweep(config(data, store)).swept == IMAGES
    assert hashes(store) == whole


def test_a_damaged_list_of_images(data, config, whole, hashes, tmp_path, monkeypatch) -> None:
    store = half_swept(data, tmp_path / "store", config, monkeypatch)
    part = store / "plan" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(StoreDamagedError, match=r"part-00000\.parquet is damaged.*plan\.json"):
        sweep(config(data, store))
    (store / ".work" / "plan.json").unlink()
    sweep(config(data, store))
    assert hashes(store) == whole


def test_shards_without_a_plan_are_not_taken_for_those_of_another(
    data, config, hashes, tmp_path, monkeypatch
) -> None:
    """Somebody removes a plan, and sweeps something else into the folder."""
    store = half_swept(data, tmp_path / "store", config, monkeypatch)
    (store / ".work" / "plan.json").unlink()
    other = data / "circle" / "0000.png"
    other.write_bytes((data / "square" / "0001.png").read_bytes())
    sweep(config(data, store))
    sweep(config(data, tmp_path / "fresh"))
    assert hashes(store) == hashes(tmp_path / "fresh")


@pytest.mark.parametrize("length", [0, 100, -1])
def test_a_damaged_shard_is_swept_again(length, data, config, whole, hashes, tmp_path, monkeypatch) -> None:
    store = half_swept(data, tmp_path / "store", config, monkeypatch)
    shard = store / ".work" / "shards" / "shard-000001.arrow"
    shard.write_bytes(shard.read_bytes()[:length])
    assert sweep(config(data, store)).swept == IMAGES - 16
    assert "damaged" in (store / "log.jsonl").read_text()
    assert hashes(store) == whole


@pytest.mark.parametrize("step", ["pictures", "pack"])
def test_damaged_work_files(step, data, config, whole, hashes, tmp_path, monkeypatch) -> None:
    """What a sweep made on its way is found damaged by the run that goes on: made again, or a clear error."""
    store = half_swept(data, tmp_path / "store", config, monkeypatch, step)
    for path in (store / ".work").rglob("*.arrow"):
        if path.parent.name != "shards":
            path.write_bytes(path.read_bytes()[:50])
    try:
        sweep(config(data, store))
    except StoreDamagedError as error:
        assert "remove" in str(error)
        shutil.rmtree(store / ".work" / "pictures")
        sweep(config(data, store))
    assert hashes(store) == whole


def test_a_byte_that_changes_in_a_shard_changes_no_store(
    data, config, whole, hashes, tmp_path, monkeypatch
) -> None:
    """Each place of a shard file is either none that counts, or its damage is told with what to do."""
    half = half_swept(data, tmp_path / "half", config, monkeypatch, "merge")
    content = (half / ".work" / "shards" / "shard-000001.arrow").read_bytes()
    told = 0
    for place in range(len(content) // 16, len(content), len(content) // 8):
        store = tmp_path / f"flipped-{place}"
        shutil.copytree(half, store)
        shard = store / ".work" / "shards" / "shard-000001.arrow"
        shard.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        try:
            sweep(config(data, store))
        except StoreDamagedError as error:
            assert f"{shard} is not as it was written" in str(error)
            assert "remove this file and sweep again" in str(error)
            told += 1
            shard.unlink()  # as the message says
            assert sweep(config(data, store)).swept == 16
        assert hashes(store) == whole
    assert told >= 6
