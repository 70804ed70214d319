"""Where a network comes from: torchvision, timm, transformers or a Python file, with its weights and preprocessing."""
