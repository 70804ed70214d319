"""Networks that write into their outputs, and one run of Capture."""

import torch
from torch import nn
from unitscope.model.capture.capture import Capture


class InPlace(nn.Module):
    """Conv → ReLU(inplace), BN → ReLU(inplace), an in-place addition, and views written to afterwards."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.conv3 = nn.Conv2d(8, 8, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc6 = nn.Linear(8, 6)
        self.fc = nn.Linear(6, 4)
        self.inplace = True

    def forward(self, x):
        x = self.relu(self.conv1(x))
        y = self.relu(self.norm(self.conv2(x)))
        y = self.conv3(y)
        if self.inplace:
            y += x
        else:
            y = y + x
        y = self.pool(self.relu(y)).flatten(1)
        if self.inplace:
            y.mul_(-1)
        else:
            y = y * -1
        return self.fc(self.relu(self.fc6(y)))


def run(network, layers, images, feature=None):
    with torch.inference_mode(), Capture(network, layers, feature) as capture:
        logits = network(images)
        return logits, capture.take()


def settle(network):
    """Statistics that a normalisation does something with."""
    torch.manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.weight, -1, 1)
    return network.eval()


class Transpose(nn.Module):
    def forward(self, x):
        return x.transpose(1, 2)


class First(nn.Module):
    def forward(self, x):
        return x[:, 0]


def hooks(network):
    return [
        hook for module in network.modules() for hook in (*module._forward_hooks, *module._forward_pre_hooks)
    ]
