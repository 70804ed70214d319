"""The obvious pipeline that a sweep replaces: Ray Data's `read_images`, then `map_batches` with the network.

Prints images a second, start-up of Ray left out. Keeps only each unit's maximum: less than a sweep does.
"""

import argparse
import time
from typing import Any

import numpy as np
import ray
import torch
import torchvision


class Maxima:
    """The network with hooks on its convolutions; one for each actor."""

    def __init__(self, network: str) -> None:
        torch.set_num_threads(1)
        self.network = torchvision.models.get_model(network).eval()
        self.kept: list[torch.Tensor] = []
        for module in self.network.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.register_forward_hook(lambda _m, _i, output: self.kept.append(output.amax((2, 3))))

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, Any]:
        self.kept.clear()
        pixels = torch.from_numpy(batch["image"]).permute(0, 3, 1, 2).float().div_(255)
        with torch.inference_mode():
            self.network(pixels)
        return {"maxima": torch.cat(self.kept, 1).numpy()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--network", required=True)
    parser.add_argument("--actors", type=int, default=2)
    options = parser.parse_args()
    ray.init(include_dashboard=False, log_to_driver=False, logging_level="error")
    start = time.perf_counter()
    images = ray.data.read_images(options.data, size=(224, 224), mode="RGB")
    kept = images.map_batches(
        Maxima,
        fn_constructor_args=(options.network,),
        batch_size=32,
        concurrency=options.actors,
        num_cpus=0.5,
    )
    count = sum(len(batch["maxima"]) for batch in kept.iter_batches(batch_size=32))
    print(f"{count / (time.perf_counter() - start):.2f}")


if __name__ == "__main__":
    main()
