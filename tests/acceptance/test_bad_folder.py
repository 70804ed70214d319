"""Odd and broken images among good ones: each is swept with the pixels that were drawn, or listed with its reason."""

import io
import json
import os
import struct
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from unitscope.common.errors import DatasetError, ImageError, SweepError
from unitscope.index.datasets.decode import decode
from unitscope.index.store.store import Store
from unitscope.jobs.sweep.run import sweep

GOOD = 30
SIDE = 16
JPEG_ERROR = 12
"""How far a smooth picture's values move at JPEG quality 98, at most."""


@dataclass(frozen=True)
class Case:
    """One odd image. `pixels`: what must be swept, (16, 16, 3) uint8, within `error`; else `status` and `reason`."""

    data: bytes
    pixels: np.ndarray | None = None
    error: int = 0
    status: str = "ok"
    reason: str = ""


def saved(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def raw_png(width: int, height: int, *, bits: int, colour: int, rows: Callable[[], list[bytes]]) -> bytes:
    """A PNG from the bytes of its rows, for what Pillow does not write."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(1)
    body = b"".join(packer.compress(b"\0" + row) for row in rows()) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def gif(picture: np.ndarray) -> bytes:
    """An animation whose first frame has few colours, so that the palette holds them exactly."""
    first = Image.fromarray(picture)
    black = Image.new("RGB", first.size)
    return saved(first, "GIF", save_all=True, append_images=[black, black], duration=50, loop=0)


def grey(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).convert("L"), float)


def few_colours(picture: np.ndarray) -> np.ndarray:
    return (picture // 128 * 255).astype(np.uint8)


@pytest.fixture(scope="module")
def cases(draw) -> dict[str, Case]:
    picture = {number: draw(100 + number) for number in range(12)}
    image = {number: Image.fromarray(pixels) for number, pixels in picture.items()}
    levels = picture[3].mean(axis=2).astype(np.uint8)
    turned = image[6].getexif()
    turned[0x0112] = 6
    jpeg = {"quality": 98, "subsampling": 0}
    wide = picture[7].astype(">u2") * 257
    alpha = np.dstack([picture[8], np.full((SIDE, SIDE), 7, np.uint8)])
    truncated = saved(Image.fromarray(draw(1, 64)), "JPEG", **jpeg)
    return {
        "truncated.JPEG": Case(truncated[: len(truncated) // 2], status="undecodable", reason="truncated"),
        "empty.JPEG": Case(b"", status="undecodable", reason="empty file"),
        "text.jpg": Case(b"no image at all\n" * 50, status="undecodable", reason="no image format"),
        "bomb.png": Case(
            raw_png(20_000, 20_000, bits=1, colour=0, rows=lambda: [bytes(2500)] * 20_000),
            status="too_large",
            reason="178,956,970 pixels",
        ),
        "png-named.JPEG": Case(saved(image[0], "PNG"), picture[0]),
        "cmyk.JPEG": Case(saved(image[1].convert("CMYK"), "JPEG", **jpeg), picture[1], JPEG_ERROR),
        "plain.JPEG": Case(saved(image[2], "JPEG", **jpeg), picture[2], JPEG_ERROR),
        "grey-16-bit.png": Case(
            saved(Image.fromarray(levels.astype(np.uint16) * 257), "PNG"), np.repeat(levels[:, :, None], 3, axis=2)
        ),
        "colour-16-bit.png": Case(
            raw_png(SIDE, SIDE, bits=16, colour=2, rows=lambda: [row.tobytes() for row in wide]), picture[7]
        ),
        "animated.gif": Case(gif(few_colours(picture[4])), few_colours(picture[4])),
        "one-pixel.png": Case(
            saved(Image.new("RGB", (1, 1), (200, 100, 50)), "PNG"), np.full((SIDE, SIDE, 3), (200, 100, 50), np.uint8)
        ),
        "turned-by-exif.jpg": Case(saved(image[6], "JPEG", exif=turned, **jpeg), picture[6], JPEG_ERROR),
        "transparent.png": Case(saved(Image.fromarray(alpha), "PNG"), picture[8]),
        "palette.png": Case(
            saved(Image.fromarray(few_colours(picture[9])).quantize(8, dither=Image.Dither.NONE), "PNG"),
            few_colours(picture[9]),
        ),
        "lossless.webp": Case(saved(image[10], "WEBP", lossless=True), picture[10]),
    }  # fmt: skip


@pytest.fixture(scope="module")
def good(draw, as_png) -> dict[str, Case]:
    return {f"good-{number:02d}.png": Case(as_png(draw(number)), draw(number)) for number in range(GOOD)}


def check(store: Store, folder: Path, cases: dict[str, Case], key: Callable[[str], str]) -> None:
    """Every case: its maxima, its pixels and its thumbnail, or its line in errors.parquet. `key`: uri → case."""
    rows = store.images_at(range(store.images_count))
    assert sorted(key(row["uri"]) for row in rows) == sorted(cases)
    table = pq.read_table(folder / "maxima" / "pixels")
    swept = np.stack([table[f"u{unit}"].to_numpy() for unit in range(3 * SIDE * SIDE)], axis=1)
    for row in rows:
        case, image_id = cases[key(row["uri"])], row["image_id"]
        assert row["status"] == case.status, row["uri"]
        if case.pixels is None:
            assert np.isnan(swept[image_id]).all(), row["uri"]
            assert store.thumb(image_id) is None, row["uri"]
            continue
        seen = swept[image_id].reshape(3, SIDE, SIDE).transpose(1, 2, 0) * 255
        np.testing.assert_allclose(seen, case.pixels, atol=case.error + 1e-3, rtol=0, err_msg=row["uri"])
        original = decode(store.pixels(image_id))
        assert original.shape == (row["height"], row["width"], 3)
        enlarged = np.broadcast_to(original, case.pixels.shape)
        np.testing.assert_allclose(enlarged.astype(int), case.pixels, atol=case.error, err_msg=row["uri"])
        thumb = grey(np.asarray(Image.open(io.BytesIO(store.thumb(image_id) or b""))))
        assert np.abs(thumb - grey(case.pixels)).mean() < 8, row[
            "uri"
        ]  # a small JPEG, whose colours are coarse
    check_top(store, cases, {row["image_id"]: key(row["uri"]) for row in rows})
    errors = {key(row["uri"]): row for row in pq.read_table(folder / "errors.parquet").to_pylist()}
    assert sorted(errors) == sorted(name for name, case in cases.items() if case.pixels is None)
    for name, row in errors.items():
        assert row["status"] == cases[name].status
        assert cases[name].reason in row["reason"], name


def check_top(store: Store, cases: dict[str, Case], names: dict[int, str]) -> None:
    """The strongest patch of each colour is one that was drawn, at its place."""
    for channel in range(3):
        for best in store.top("colours", channel, k=5):
            case = cases[names[best.image_id]]
            assert case.pixels is not None
            value = case.pixels[best.y, best.x, channel]
            assert abs(best.value * 255 - value) <= case.error + 1e-3
            assert value >= case.pixels[:, :, channel].max() - 2 * case.error


def test_a_folder_of_odd_images(cases, good, config, hashes, tmp_path) -> None:
    data, every = tmp_path / "data", dict(good) | dict(cases)
    data.mkdir()
    for name, case in every.items():
        (data / name).write_bytes(case.data)
    (data / "link.jpg").symlink_to(data / "nowhere.jpg")
    every["link.jpg"] = Case(b"", status="unreadable", reason="symbolic link that leads nowhere")
    os.mkfifo(data / "pipe.jpg")
    every["pipe.jpg"] = Case(b"", status="unreadable", reason="named pipe")
    if os.geteuid():
        (data / "secret.jpg").write_bytes(b"")
        (data / "secret.jpg").chmod(0)
        every["secret.jpg"] = Case(b"", status="unreadable", reason="no permission")

    store = tmp_path / "store"
    with pytest.raises(SweepError, match=r"more than --max-error-rate 0\.001 allows") as failed:
        sweep(config(data, store))
    first = [name for name in sorted(every)[:16] if every[name].pixels is None]
    assert first
    for name in first:  # the shard at which the run stopped
        assert f"{name}: {every[name].status}: " in str(failed.value)
    assert not (store / "manifest.json").exists()

    report = sweep(config(data, store, max_error_rate=0.5))
    assert report.swept < report.images == len(every)  # what was swept before the failure was kept
    check(Store.open(str(store)), store, every, str)

    at_once = tmp_path / "at-once"
    sweep(config(data, at_once, max_error_rate=0.5))
    assert hashes(at_once) == hashes(store)


def test_the_same_in_parquet(cases, good, config, tmp_path) -> None:
    every = dict(good) | dict(cases)
    images = [{"bytes": case.data, "path": name} for name, case in every.items()]
    names = [*every, "null.jpg"]
    every["null.jpg"] = Case(b"", status="unreadable", reason="no image bytes")
    table = pa.table(
        {
            "image": pa.array([*images, None], pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            "name": names,
        }
    )
    path, store = tmp_path / "images.parquet", tmp_path / "store"
    pq.write_table(table, path, row_group_size=7)
    with pytest.raises(SweepError, match=r"images\.parquet#\d+: undecodable"):
        sweep(config(path, store, max_error_rate=0, exif="ignore"))
    sweep(config(path, store, max_error_rate=0.5, exif="ignore"))  # as the folder's images are
    check(Store.open(str(store)), store, every, lambda uri: names[int(uri.partition("#")[2])])


def test_the_same_in_a_tar(cases, good, config, tmp_path) -> None:
    every = dict(good) | dict(cases)
    path, store = tmp_path / "images.tar", tmp_path / "store"
    with tarfile.open(path, "w") as tar:
        for name, case in every.items():
            beside = json.dumps({"n": name}).encode()
            for member, data in ((name, case.data), (f"{name.partition('.')[0]}.json", beside)):
                info = tarfile.TarInfo(member)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    with pytest.raises(SweepError, match=r"images\.tar#.*: undecodable"):
        sweep(config(path, store, max_error_rate=0))
    sweep(config(path, store, max_error_rate=0.5))
    opened = Store.open(str(store))
    check(opened, store, every, lambda uri: uri.partition("#")[2])
    with pytest.raises(ImageError):
        decode(
            opened.pixels(
                next(iter(opened.images_at([opened.find_image("images.tar#empty.JPEG")])))["image_id"]
            )
        )


def test_nothing_but_bad_images(config, tmp_path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for number in range(3):
        (data / f"{number}.jpg").write_bytes(b"no image")
    with pytest.raises(
        SweepError, match=r"none of 3 images, .*data, can be used \(0\.jpg: undecodable: no image format"
    ):
        sweep(config(data, tmp_path / "store", max_error_rate=1))


def test_a_dataset_without_images(config, tmp_path) -> None:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pq.write_table(pa.table({"image": pa.array([], kind)}), tmp_path / "none.parquet")
    with pytest.raises(DatasetError, match=r"none\.parquet holds no images\. A dataset is"):
        sweep(config(tmp_path / "none.parquet", tmp_path / "store"))
