"""timm's networks, their tags, preprocessing and checkpoints."""

import pytest
from safetensors.torch import save_file
from unitscope.common.errors import ModelSpecError
from unitscope.common.frame import Frame
from unitscope.model.sources import from_timm as source_timm
from unitscope.model.sources.fingerprint import fingerprint
from unitscope.model.sources.load import load_model


def refusal(spec: str, **options) -> str:
    with pytest.raises(ModelSpecError) as caught:
        load_model(spec, **options)
    return str(caught.value)


def test_random_weights_and_preprocessing():
    import timm.data

    model = load_model("timm:resnet18.a1_in1k@random")
    config = timm.data.resolve_model_data_config(model.network)
    steps = timm.data.create_transform(**config).transforms
    assert model.preprocess.frame == Frame(steps[0].size, tuple(steps[1].size))
    assert model.preprocess.interpolation == "bicubic" == config["interpolation"]
    assert model.random and model.classes is not None and len(model.classes) == 1000


def test_crop_modes():
    assert source_timm._resize("center", 224, 224, 0.875) == 256
    assert source_timm._resize("center", 224, 224, 0.95) == 235
    assert source_timm._resize("squash", 200, 300, 0.9) == (222, 333)
    for mode, height in (("border", 224), ("center", 200)):
        with pytest.raises(ModelSpecError, match="write a factory"):
            source_timm._resize(mode, height, 224, 0.9)


def test_networks_without_logits():
    model = load_model("timm:vit_tiny_patch16_224@random")
    assert model.outputs == 1000
    assert source_timm._classes(0) is None


def test_what_is_refused():
    said = refusal("timm:resnet18.a1")
    assert "did you mean" in said and "timm:resnet18.a1_in1k" in said and "--weights FILE" in said
    assert "did you mean resnet" in refusal("timm:resnet1")
    assert "write timm:vit_base_patch16_224.augreg_in21k" in refusal("timm:vit_base_patch16_224_in21k")
    assert "timm:test_vit" in refusal("timm:test_vi")[:80] or "did you mean" in refusal("timm:test_vi")


def test_a_name_without_weights():
    assert "timm has no weights for resnet10t_none" not in refusal("timm:resnet10t_none")
    untrained = next(
        name
        for name in source_timm.timm.list_models("resnet*")
        if not source_timm.timm.models.is_model_pretrained(name)
    )
    said = refusal(f"timm:{untrained}")
    assert f"timm has no weights for {untrained}" in said and "@random" in said


def test_without_a_network_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def offline(*_arguments, **_options):
        raise OSError("no route to host")

    monkeypatch.setattr("timm.models._builder.load_state_dict_from_hf", offline)
    said = refusal("timm:resnet18")
    assert "no route to host" in said and "timm/resnet18.a1_in1k" in said and "--weights FILE" in said


def test_a_checkpoint_with_another_head(tmp_path):
    import timm

    save_file(timm.create_model("test_resnet", num_classes=4).state_dict(), tmp_path / "w.safetensors")
    model = load_model("timm:test_resnet", weights=str(tmp_path / "w.safetensors"))
    assert model.outputs == 4 and model.classes is None and model.weights == "w.safetensors"


def test_a_local_folder_in_the_hubs_layout(tmp_path):
    network = source_timm.timm.create_model("test_resnet", num_classes=5)
    source_timm.timm.models.save_for_hf(network, tmp_path / "my net@v1", safe_serialization=True)
    model = load_model(f"timm:local-dir:{tmp_path}/my net@v1")
    assert model.outputs == 5 and not model.random
    assert model.fingerprint == fingerprint(network)
