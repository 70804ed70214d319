"""transformers' image classifiers: the same scores and pixels as its own pipeline, and what is refused."""

import json
import time

import numpy as np
import pytest
import torch
from PIL import Image
from unitscope.common.errors import ModelSpecError
from unitscope.model.sources import hub
from unitscope.model.sources.load import load_model

transformers = pytest.importorskip("transformers")

NAMES = {0: "cat", 1: "dog", 2: "emu"}


def resnet(**options):
    torch.manual_seed(7)
    return transformers.ResNetForImageClassification(
        transformers.ResNetConfig(
            embedding_sizes=8, hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], id2label=NAMES, **options
        )
    )


def vit():
    return transformers.ViTForImageClassification(
        transformers.ViTConfig(
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            image_size=32,
            patch_size=8,
            num_labels=5,
        )
    )


PROCESSORS = {
    "squash": lambda: transformers.ViTImageProcessor(size={"height": 32, "width": 32}),
    "shortest": lambda: transformers.CLIPImageProcessor(
        size={"shortest_edge": 36}, crop_size={"height": 32, "width": 32}, do_convert_rgb=True
    ),
    "crop_pct": lambda: transformers.ConvNextImageProcessor(size={"shortest_edge": 32}, crop_pct=0.875),
    "large": lambda: transformers.ConvNextImageProcessor(size={"shortest_edge": 384}),
    "plain": lambda: transformers.ViTImageProcessor(size={"height": 40, "width": 32}, do_normalize=False),
}


@pytest.fixture
def saved(tmp_path):
    """Saves a network with a processor; gives its spec."""

    def save(network, processor="squash"):
        network.save_pretrained(tmp_path / "net")
        PROCESSORS[processor]().save_pretrained(tmp_path / "net")
        return f"hf:{tmp_path}/net"

    return save


def refusal(spec, **options):
    with pytest.raises(ModelSpecError) as caught:
        load_model(spec, **options)
    return str(caught.value)


def picture(height, width):
    return Image.fromarray(np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("processor", PROCESSORS)
@pytest.mark.parametrize("size", [(61, 83), (84, 61), (47, 50), (33, 32), (200, 301)])
def test_pixels_are_the_processor_s(saved, processor, size):
    model = load_model(saved(resnet(), processor))
    image = picture(*size)
    theirs = PROCESSORS[processor]()(images=[image], return_tensors="pt")["pixel_values"]
    fitted = model.preprocess.fit(torch.from_numpy(np.array(image)).permute(2, 0, 1))
    gap = (theirs - model.preprocess.normalise(fitted[None])).abs()
    assert gap.max() * min(model.preprocess.std) <= 2.5 / 255
    assert gap.mean() * min(model.preprocess.std) <= 0.3 / 255  # not shifted by a pixel


def test_scores_and_classes_are_those_of_the_library(saved):
    network = resnet().eval()
    model = load_model(saved(network))
    pixels = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(model.network(pixels).logits, network(pixels).logits)
    assert (model.classes, model.outputs, model.weights, model.random) == (
        ("cat", "dog", "emu"),
        3,
        "net",
        False,
    )
    assert model.is_classifier and model.task is None


def test_numbered_labels_are_no_names(saved):
    model = load_model(saved(vit()))
    assert (model.classes, model.outputs) == (None, 5)


def test_untrained_and_checkpoints(saved, tmp_path):
    network = resnet()
    spec = saved(network)
    model = load_model(f"{spec}@random")
    assert model.random and model.weights == "random, seed 0"
    torch.save(network.state_dict(), tmp_path / "own.pt")
    again = load_model(spec, weights=str(tmp_path / "own.pt"))
    assert again.fingerprint == load_model(spec).fingerprint != model.fingerprint
    assert again.weights == "own.pt"


def test_the_problem_type_is_the_task(saved):
    assert load_model(saved(resnet(problem_type="multi_label_classification"))).task == "multi-label"


def test_a_head_that_was_not_trained_is_refused(tmp_path):
    transformers.ResNetModel(resnet().config).save_pretrained(tmp_path / "net")
    PROCESSORS["squash"]().save_pretrained(tmp_path / "net")
    said = refusal(f"hf:{tmp_path}/net")
    assert "not a trained image classifier" in said
    assert "classifier.1.weight" in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size": {"shortest_edge": 32}, "do_center_crop": False}, "different sizes"),
        ({"rescale_factor": 0.5}, "something that is not done here"),
        ({"resample": 1}, "something that is not done here"),
    ],
)
def test_processors_that_are_not_done_here_are_refused(saved, tmp_path, change, words):
    spec = saved(resnet())
    file = tmp_path / "net" / "preprocessor_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    assert words in refusal(spec)


def test_code_of_a_repository_does_not_run(saved, tmp_path):
    spec = saved(resnet())
    (tmp_path / "net" / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    file = tmp_path / "net" / "config.json"
    own = {"AutoConfig": "own.Config", "AutoModelForImageClassification": "own.Model"}
    file.write_text(json.dumps(json.loads(file.read_text()) | {"auto_map": own, "model_type": "own"}))
    assert "could not be read" in refusal(spec)
    assert not (tmp_path / "ran").exists()


def test_folders_that_are_not_there(tmp_path):
    assert "no such folder" in refusal(f"hf:{tmp_path}/none")
    (tmp_path / "empty").mkdir()
    assert "could not be read" in refusal(f"hf:{tmp_path}/empty")


@pytest.mark.parametrize("spec", ["hf:some-one/some-thing", "timm:resnet10t.c3_in1k"])
def test_without_a_network_it_fails_at_once(spec, monkeypatch, tmp_path):
    monkeypatch.setattr(hub, "is_reachable", lambda: False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    began = time.monotonic()
    assert "could not be" in refusal(spec)
    assert time.monotonic() - began < 10


def test_a_hub_that_answers_nothing_is_not_reachable(monkeypatch):
    monkeypatch.setattr(hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    assert not hub.is_reachable()
