"""Image features of torchvision's networks."""

import hashlib
import re
from urllib.error import URLError

import numpy as np
import pytest

from brain_teacher.networks.image_features import network_features


def fails(call, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$") as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def trained():
    """A ResNet18 whose weights, running means included, are nobody's defaults."""
    import torch
    from torchvision.models import resnet18

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        network = resnet18().eval()
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_()
                module.running_var.uniform_(0.5, 2)
    return network


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).integers(0, 256, (5, 24, 24, 3), dtype=np.uint8)


NAMES = np.array([f"i{n}" for n in range(5)])
RESNET = {"network": "resnet18", "layer": "layer2"}


def save(network, path, **changes):
    import torch
    from safetensors.torch import save_file

    weights = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    weights = {n: t for n, t in (weights | changes).items() if t is not None}
    if path.suffix == ".safetensors":
        save_file(weights, path)
    else:
        torch.save(weights, path)
    return path


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".safetensors"])
def test_features_are_those_of_torchvision(tmp_path, trained, images, suffix):
    import torch
    from PIL import Image
    from torchvision.transforms import v2

    path = save(trained, tmp_path / f"own{suffix}")
    features = network_features(images, NAMES, weights=str(path), batch=2, **RESNET)
    # torchvision's own way from a picture to a tensor, and the layers one by one.
    prepare = v2.Compose(
        [
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    with torch.inference_mode():
        x = torch.stack([prepare(Image.fromarray(image)) for image in images])
        for name in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2"):
            x = getattr(trained, name)(x)
        expected = torch.nn.functional.adaptive_avg_pool2d(x, 1).flatten(1).numpy()
    assert features.values.dtype == np.float32 and features.values.shape == (5, 128)
    np.testing.assert_allclose(features.values, expected, rtol=1e-4, atol=1e-5)
    assert features.image_id.tolist() == NAMES.tolist() and len(features.category_id) == 0
    assert features.meta == {
        "source": "torchvision",
        "network": "resnet18",
        "layer": "layer2",
        "pixels": 24,
        "weights": f"own{suffix}",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


@pytest.mark.parametrize("weights", [None, ""])
def test_an_untrained_network_is_drawn_from_its_seed(images, weights):
    import torch

    torch.manual_seed(3)
    state = torch.get_rng_state()
    first = network_features(images, NAMES, weights=weights, **RESNET)
    torch.rand(5)
    again = network_features(images, NAMES, weights=weights, **RESNET)
    other = network_features(images, NAMES, weights=weights, seed=1, **RESNET)
    np.testing.assert_array_equal(first.values, again.values)
    assert not np.allclose(first.values, other.values)
    assert first.meta["weights"] == "untrained"
    assert first.meta["seed"] == 0 and other.meta["seed"] == 1
    torch.manual_seed(3)
    network_features(images, NAMES, weights=weights, **RESNET)
    assert torch.equal(torch.get_rng_state(), state)


def test_batches_do_not_matter(images):
    values = [
        network_features(images, NAMES, weights=None, batch=batch, **RESNET).values
        for batch in (1, 3, 64)
    ]
    for other in values[1:]:
        np.testing.assert_allclose(other, values[0], rtol=1e-4, atol=1e-6)


def test_a_vector_is_taken_as_it_is(trained, tmp_path, images):
    import torch

    path = save(trained, tmp_path / "own.pth")
    parts = {
        layer: network_features(images, NAMES, network="resnet18", weights=path, layer=layer).values
        for layer in ("layer4", "avgpool", "flatten", "fc")
    }
    # ResNet's own pooling is an average over space too.
    np.testing.assert_allclose(parts["avgpool"], parts["layer4"], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(parts["flatten"], parts["avgpool"])
    with torch.inference_mode():
        expected = trained.fc(torch.from_numpy(parts["flatten"])).numpy()
    np.testing.assert_allclose(parts["fc"], expected, rtol=1e-4, atol=1e-4)


def test_tokens_are_averaged_and_small_images_enlarged(images):
    # A ViT takes 224 pixels only. Its layer norm makes each token's mean over channels 0.
    features = network_features(
        images[:1], NAMES[:1], network="vit_b_16", weights=None, layer="encoder.ln"
    )
    assert features.values.shape == (1, 768) and features.meta["pixels"] == 224
    assert abs(features.values.mean()) < 1e-5 and features.values.std() > 0.1


@pytest.mark.parametrize(("layer", "pixels"), [("features", 224), ("features.0", 24)])
def test_images_are_enlarged_only_where_the_network_refuses_them(images, layer, pixels):
    features = network_features(images, NAMES, network="alexnet", weights=None, layer=layer)
    assert features.meta["pixels"] == pixels and np.ptp(features.values, axis=0).max() > 0


def test_a_file_may_have_a_head_for_other_classes(tmp_path, trained, images):
    import torch

    other = {"fc.weight": torch.zeros(150, 512), "fc.bias": torch.zeros(150)}
    own, changed = save(trained, tmp_path / "a.pth"), save(trained, tmp_path / "b.pth", **other)
    np.testing.assert_array_equal(
        *(network_features(images, NAMES, weights=p, **RESNET).values for p in (own, changed))
    )
    fails(
        lambda: network_features(images, NAMES, network="resnet18", weights=changed, layer="fc"),
        f"{changed}: 'fc.weight' has shape (150, 512), this network's (1000, 512)",
    )


def test_an_old_file_may_lack_the_counters(tmp_path, trained, images):
    counters = {n: None for n in trained.state_dict() if n.endswith("num_batches_tracked")}
    own, old = save(trained, tmp_path / "a.pth"), save(trained, tmp_path / "b.pth", **counters)
    np.testing.assert_array_equal(
        *(network_features(images, NAMES, weights=p, **RESNET).values for p in (own, old))
    )


def test_what_is_wrong_with_a_network_is_said(images):
    def call(**changes):
        return lambda: network_features(images, NAMES, **({"weights": None} | RESNET | changes))

    fails(call(network="resnet19"), "torchvision has no classifier 'resnet19' (nearest: resnet18)")
    fails(
        call(layer="layer5"),
        "resnet18 has no layer 'layer5' (it has conv1, bn1, relu, maxpool, layer1, layer2, "
        "layer3, layer4, avgpool, flatten, fc, and their parts)",
    )
    fails(
        call(weights="IMAGENET"),
        "resnet18 has no weights 'IMAGENET' (it has IMAGENET1K_V1); a file of weights ends in "
        ".safetensors or .pth or .pt",
    )


def test_weights_that_cannot_be_fetched(monkeypatch, images):
    import torch

    def away(*_, **__):
        raise URLError("Name or service not known")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", away)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", away)
    fails(
        lambda: network_features(images, NAMES, weights="DEFAULT", **RESNET),
        "weights 'DEFAULT' of resnet18 cannot be fetched (<urlopen error Name or service not "
        "known>); give a file of them, or none for an untrained network",
    )


def test_published_weights_are_asked_for_by_name(monkeypatch, trained, images):
    monkeypatch.setattr(
        "torchvision.models._api.load_state_dict_from_url", lambda *_, **__: trained.state_dict()
    )
    features = network_features(images, NAMES, weights="IMAGENET1K_V1", **RESNET)
    assert features.meta["weights"] == "IMAGENET1K_V1" and "sha256" not in features.meta


class Surprise:
    def __reduce__(self):
        return print, ("this ran",)


def test_what_is_wrong_with_a_file_of_weights_is_said(tmp_path, trained, images, capsys):
    import torch

    def call(path):
        return lambda: network_features(images, NAMES, weights=path, **RESNET)

    def named(name):
        return tmp_path / name

    fails(
        call(named("none.pth")),
        f"{named('none.pth')} cannot be read as weights ([Errno 2] No such file or directory: "
        f"'{named('none.pth')}')",
    )
    for name in ("junk.pth", "junk.safetensors"):
        named(name).write_bytes(b"")
        with pytest.raises(ValueError, match=r"junk\.\w+ cannot be read as weights \(.+\)$"):
            call(named(name))()
    torch.save({"conv1.weight": Surprise()}, named("code.pth"))
    fails(call(named("code.pth")), f"{named('code.pth')} holds more than weights: it is not opened")
    assert "this ran" not in capsys.readouterr().out
    torch.save(torch.zeros(3), named("one.pth"))
    fails(call(named("one.pth")), f"{named('one.pth')} holds a Tensor, not a table of weights")
    path = save(trained, named("part.pth"), **{"bn1.bias": None})
    fails(call(path), f"{path} has no weights 'bn1.bias': it is of another network")


def test_images_are_bytes_in_colour(images):
    fails(
        lambda: network_features(images[..., 0], NAMES, weights=None, **RESNET),
        "images are uint8 of shape (5, 24, 24), not uint8 (images, size, size, 3)",
    )
    fails(
        lambda: network_features(images / 255, NAMES, weights=None, **RESNET),
        "images are float64 of shape (5, 24, 24, 3), not uint8 (images, size, size, 3)",
    )
