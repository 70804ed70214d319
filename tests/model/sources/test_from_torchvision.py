"""torchvision's networks, their tags, presets and checkpoints."""

import pytest
import torch
import torchvision
from unitscope.common.errors import ModelSpecError
from unitscope.common.frame import Frame
from unitscope.model.sources import from_torchvision as source_torchvision
from unitscope.model.sources.load import load_model


def refusal(spec: str, **options) -> str:
    with pytest.raises(ModelSpecError) as caught:
        load_model(spec, **options)
    return str(caught.value)


def test_random_weights():
    model = load_model("torchvision:squeezenet1_1@random")
    steps = torchvision.models.SqueezeNet1_1_Weights.DEFAULT.transforms()
    assert model.random and model.weights == "random, seed 0"
    assert model.classes is not None and len(model.classes) == model.outputs == 1000
    assert model.preprocess.frame == Frame(steps.resize_size[0], (224, 224))
    assert model.preprocess.interpolation == steps.interpolation.value


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_heads_for_training_are_off(name):
    network = load_model(f"torchvision:{name}@random").network
    assert network.transform_input is True
    assert network.aux_logits is False
    assert not [key for key in network.state_dict() if key.startswith(("aux", "Aux"))]


def test_a_tag_says_the_input_size_of_a_transformer():
    network = source_torchvision._untrained(
        "vit_b_16", torchvision.models.ViT_B_16_Weights.IMAGENET1K_SWAG_E2E_V1
    )
    assert network.image_size == 384


def test_presets_of_all_models():
    for name in torchvision.models.list_models(module=torchvision.models):
        for tag in torchvision.models.get_model_weights(name):
            preprocess, steps = source_torchvision._preprocess(tag), tag.transforms()
            assert [*preprocess.input_size] == steps.crop_size * 2
            assert preprocess.antialias is steps.antialias
            assert preprocess.mean == tuple(steps.mean) and preprocess.std == tuple(steps.std)
            assert [preprocess.frame.resize] == steps.resize_size


def test_what_is_refused():
    assert "DEFAULT (= IMAGENET1K_V2), IMAGENET1K_V1" in refusal("torchvision:resnet50")
    assert "did you mean IMAGENET1K_V" in refusal("torchvision:resnet50@IMAGENET1K")
    assert "did you mean alexnet" in refusal("torchvision:alexnett@DEFAULT")
    assert "did you mean resnet18" in refusal("torchvision:ResNet18@DEFAULT")
    assert "segmentation" in refusal("torchvision:fcn_resnet50@random")


def test_without_a_network_the_error_says_what_to_do(monkeypatch):
    def offline(*_arguments, **_options):
        raise OSError("no route to host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    said = refusal("torchvision:squeezenet1_1@DEFAULT")
    assert "no route to host" in said and "--weights FILE" in said and ".pth" in said


def test_a_downloaded_tag(monkeypatch):
    state = torchvision.models.squeezenet1_1().state_dict()
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *_a, **_o: state)
    model = load_model("torchvision:squeezenet1_1@DEFAULT")
    assert (model.weights, model.random) == ("IMAGENET1K_V1", False)
    assert torch.equal(model.network.state_dict()["classifier.1.bias"], state["classifier.1.bias"])


def test_a_checkpoint_with_another_head(tmp_path):
    torch.save(
        {"state_dict": torchvision.models.squeezenet1_1(num_classes=7).state_dict()}, tmp_path / "w.pth"
    )
    model = load_model("torchvision:squeezenet1_1", weights=str(tmp_path / "w.pth"))
    assert model.outputs == 7 and model.classes is None and model.weights == "w.pth"
    assert "its default" in model.preprocess_source


def test_a_checkpoint_of_another_architecture(tmp_path):
    torch.save(torchvision.models.squeezenet1_0().state_dict(), tmp_path / "w.pth")
    assert "tensors have another shape" in refusal(
        "torchvision:squeezenet1_1", weights=str(tmp_path / "w.pth")
    )


def test_a_file_of_torchvisions_own_is_recognised_by_its_content(tmp_path, monkeypatch):
    import hashlib

    torch.save(torchvision.models.squeezenet1_1().state_dict(), tmp_path / "renamed.pth")
    sha256 = hashlib.sha256((tmp_path / "renamed.pth").read_bytes()).hexdigest()
    tag = torchvision.models.SqueezeNet1_1_Weights.IMAGENET1K_V1
    monkeypatch.setattr(tag.value, "url", f"https://example.org/squeezenet-{sha256[:8]}.pth")
    model = load_model("torchvision:squeezenet1_1", weights=str(tmp_path / "renamed.pth"))
    assert model.preprocess_source == "torchvision's for IMAGENET1K_V1"


def test_auxiliary_heads_in_a_checkpoint(tmp_path):
    network = torchvision.models.googlenet(aux_logits=True, init_weights=False)
    torch.save(network.state_dict(), tmp_path / "w.pth")
    model = load_model("torchvision:googlenet@IMAGENET1K_V1", weights=str(tmp_path / "w.pth"))
    assert model.network.aux1 is None and model.outputs == 1000
    assert torch.equal(model.network.state_dict()["fc.bias"], network.fc.bias)


def test_old_densenet_names():
    state = source_torchvision._rename(
        "densenet121", {"features.denseblock1.denselayer1.norm.1.weight": torch.ones(1)}
    )
    assert list(state) == ["features.denseblock1.denselayer1.norm1.weight"]
