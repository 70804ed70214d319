"""Networks, small where they can be, with their layers; each is made once."""

import timm
import torchvision

tv = torchvision.models


def tiny_vit(image_size=32):
    return tv.VisionTransformer(image_size, 8, 2, 4, 64, 128, num_classes=10)


def tiny_swin():
    return tv.SwinTransformer([4, 4], 16, [2, 2], [2, 4], [4, 4], num_classes=10)


def tiny_convnext():
    return tv.ConvNeXt(
        [tv.convnext.CNBlockConfig(16, 32, 2), tv.convnext.CNBlockConfig(32, None, 1)], num_classes=10
    )


def tiny_timm_vit(name="vit_tiny_patch16_224", size=(64, 96), **kwargs):
    return timm.create_model(
        name, img_size=size, depth=2, embed_dim=32, num_heads=2, num_classes=10, **kwargs
    )


NETWORKS = {
    "alexnet": (tv.alexnet, (224, 224)),
    "resnet18": (tv.resnet18, (64, 96)),
    "googlenet": (lambda: tv.googlenet(init_weights=False), (64, 96)),
    "squeezenet": (tv.squeezenet1_1, (64, 64)),
    "mobilenet_v3": (tv.mobilenet_v3_small, (64, 64)),
    "swin": (tiny_swin, (64, 96)),
    "convnext": (tiny_convnext, (64, 96)),
    "vit": (tiny_vit, (32, 32)),
    "timm vit": (tiny_timm_vit, (64, 96)),
    "timm registers": (lambda: tiny_timm_vit("vit_base_patch16_reg4_gap_256", (64, 64)), (64, 64)),
    "timm mixer": (lambda: timm.create_model("mixer_s32_224", img_size=96, num_classes=10), (96, 96)),
    "timm convnext": (lambda: timm.create_model("convnext_atto", num_classes=10), (64, 96)),
}


def facts(layers, name):
    layer = next(layer for layer in layers.swept if layer.name == name)
    return layer.kind, layer.units, layer.height, layer.width, layer.unit_axis, layer.prefix, layer.output
