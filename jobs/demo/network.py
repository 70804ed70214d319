"""The demo's network: an AlexNet for 96 x 96 scenes. Spec: unitscope.jobs.demo.network:demo_alexnet, with --weights.

Input: (N, 3, 96, 96) float32, RGB, normalised as PREPROCESS says. Output: (N, 12) logits in the order of CLASSES.
"""

from torch import Tensor, nn

from .scenes.scenes import CLASSES

__all__ = ["CLASSES", "PREPROCESS", "DemoAlexNet", "demo_alexnet"]

MEAN = (0.58, 0.60, 0.60)
STD = (0.24, 0.20, 0.19)
PREPROCESS = {"resize": 96, "crop": 96, "mean": list(MEAN), "std": list(STD), "interpolation": "bilinear"}


class DemoAlexNet(nn.Module):
    """Five conv layers with three max-pools, then fc6, fc7 and fc8, as in AlexNet but narrow."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 24, 5, stride=2, padding=2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, padding=1),
            nn.Conv2d(24, 48, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, padding=1),
            nn.Conv2d(48, 64, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(inplace=True),
            nn.Conv2d(64, 48, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, padding=1),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Dropout(0.3), nn.Linear(48 * 6 * 6, 256), nn.ReLU(inplace=True),
            nn.Dropout(0.3), nn.Linear(256, 256), nn.ReLU(inplace=True),
            nn.Linear(256, len(CLASSES)),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        """Run the network. images: (N, 3, 96, 96) float32 -> (N, 12) float32 logits."""
        return self.classifier(self.features(images).flatten(1))


def demo_alexnet() -> nn.Module:
    """Return the network with untrained weights."""
    return DemoAlexNet()
