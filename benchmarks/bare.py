"""The bound of a sweep: a stand-alone loop that decodes and runs the network forward, and records nothing.

Started by `benchmarks/sweep.py`, once for each way of using the cores; uses nothing of Unitscope. Prints images a
second from the first decode to the last forward pass, after a warm-up.

    python benchmarks/bare.py --network alexnet --data FOLDER --way lanes --decoder torchcodec --batch 32
"""

import argparse
import importlib.util
import io
import queue
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
import torchvision
from PIL import Image
from torch import Tensor, nn
from torchcodec.decoders import decode_image
from torchvision.transforms.v2 import functional

CORES = 2


class Subject:
    """A network and how its images are prepared."""

    def __init__(self, network: str) -> None:
        if network.endswith(".py"):
            spec = importlib.util.spec_from_file_location("subject", network)
            assert spec is not None and spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            self.network: nn.Module = module.cifar10_alexnet()
            self.resize, self.crop = module.PREPROCESS["resize"], module.PREPROCESS["crop"]
            mean, std = module.PREPROCESS["mean"], module.PREPROCESS["std"]
        else:
            self.network = torchvision.models.get_model(network)
            self.resize, self.crop = 256, 224
            mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
        self.network = self.network.eval().to(memory_format=torch.channels_last)
        self.mean = torch.tensor(mean)[:, None, None] * 255
        self.scale = 1 / (torch.tensor(std)[:, None, None] * 255)

    def prepare(self, data: bytes, decoder: str) -> Tensor:
        """uint8 (3, crop, crop)."""
        if decoder == "torchcodec":
            image = decode_image(data, mode="RGB")
        else:
            image = torch.from_numpy(np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))).permute(2, 0, 1)
        if min(image.shape[1:]) != self.resize:
            image = functional.resize(image, [self.resize], antialias=True)
        return functional.center_crop(image, [self.crop, self.crop])

    def forward(self, images: list[Tensor]) -> None:
        """Normalise and run one batch and run."""
        batch = torch.stack(images).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            self.network(batch.float().sub_(self.mean).mul_(self.scale))


def load(data: str) -> list[bytes]:
    """Return the encoded images, in memory: reading is no part of the bound."""
    if data.endswith(".parquet"):
        column = pq.read_table(data, columns=["image"])["image"].combine_chunks()
        return column.field("bytes").to_pylist()
    return [path.read_bytes() for path in sorted(Path(data).rglob("*")) if path.is_file()]


def batches(encoded: list[bytes], size: int) -> Iterator[list[bytes]]:
    for start in range(0, len(encoded), size):
        yield encoded[start : start + size]


def lanes(subject: Subject, encoded: list[bytes], decoder: str, size: int) -> None:
    """Each core decodes and runs its own batches with one intra-op thread."""
    waiting = batches(encoded, size)
    lock = threading.Lock()

    def lane() -> None:
        torch.set_num_threads(1)
        while True:
            with lock:
                batch = next(waiting, None)
            if batch is None:
                return
            subject.forward([subject.prepare(data, decoder) for data in batch])

    threads = [threading.Thread(target=lane) for _ in range(CORES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def pipeline(subject: Subject, encoded: list[bytes], decoder: str, size: int, decoders: int) -> None:
    """Threads decode ahead; the network runs in this one with all cores."""
    ready: queue.Queue[list[Tensor] | None] = queue.Queue(4)
    waiting = batches(encoded, size)
    lock = threading.Lock()

    def decode() -> None:
        torch.set_num_threads(1)
        while True:
            with lock:
                batch = next(waiting, None)
            if batch is None:
                ready.put(None)
                return
            ready.put([subject.prepare(data, decoder) for data in batch])

    threads = [threading.Thread(target=decode) for _ in range(decoders)]
    for thread in threads:
        thread.start()
    torch.set_num_threads(CORES)
    ended = 0
    while ended < decoders:
        batch = ready.get()
        if batch is None:
            ended += 1
        else:
            subject.forward(batch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", required=True, help="a torchvision name, or the CIFAR-10 network's file")
    parser.add_argument("--data", required=True)
    parser.add_argument("--way", choices=["lanes", "pipeline1", "pipeline2"], required=True)
    parser.add_argument("--decoder", choices=["torchcodec", "pillow"], required=True)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--limit", type=int, default=None)
    options = parser.parse_args()
    subject = Subject(options.network)
    encoded = load(options.data)[: options.limit]

    def run(images: list[bytes]) -> None:
        if options.way == "lanes":
            lanes(subject, images, options.decoder, options.batch)
        else:
            pipeline(subject, images, options.decoder, options.batch, int(options.way[-1]))

    run(encoded[: 4 * options.batch])
    start = time.perf_counter()
    run(encoded)
    print(f"{len(encoded) / (time.perf_counter() - start):.2f}")


if __name__ == "__main__":
    main()
