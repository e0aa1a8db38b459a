"""Networks in a small model: what they change, that they go without a trace, and what the user is told."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from extensions.lora.keys import Place
from extensions.lora.layers import layers_of
from extensions.lora.member import Member
from tests.library.small import small_checkpoint
from tests.narrowing import known, untyped
from webui.domain.request import GenerationRequest
from webui.extension_api import JobContext, Models, extra_networks
from webui.library.library import ModelLibrary
from webui.plugins.models import LibraryModels
from webui.weights.families.registry import FAMILIES
from webui.weights.load import load_model
from webui.weights.model import LoadedModel

pytestmark = pytest.mark.usefixtures("pickles_here")
CPU = torch.device("cpu")
ATTENTION = "down_blocks_0_attentions_0_transformer_blocks_0_attn"


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name in ("Stable-diffusion", "Lora/sub", "hypernetworks"):
        (folder / name).mkdir(parents=True)
    save_file(small_checkpoint(1), folder / "Stable-diffusion" / "small.safetensors")
    torch.manual_seed(3)
    save_file(low_rank(), folder / "Lora" / "ink.safetensors", {"ss_output_name": "Ink Drawing"})
    save_file(low_rank(), folder / "Lora" / "sub" / "oil.safetensors")
    save_file(low_rank(context=80), folder / "Lora" / "foreign.safetensors")
    extra = {"lora_unet_conv_in.diff": torch.randn(32, 4, 3, 3), "lora_unet_conv_in.diff_b": torch.randn(32)}
    extra |= {"bundle_emb.face.string_to_param.*": torch.randn(2, 64), "lora_unet_nowhere.alpha": torch.tensor(1.0)}
    save_file(low_rank() | extra, folder / "Lora" / "bundle.safetensors")
    whole = (folder / "Lora" / "ink.safetensors").read_bytes()
    (folder / "Lora" / "torn.safetensors").write_bytes(whole[: len(whole) // 2])
    nets: dict[object, object] = {width: [two_layers(width) for _ in range(2)] for width in (32, 64)}
    about: dict[object, object] = {
        "layer_structure": [1, 2, 1],
        "activation_func": "relu",
        "activate_output": False,
        "name": "h",
    }
    torch.save({**nets, **about}, folder / "hypernetworks" / "h.pt")
    return folder


def two_layers(width: int) -> dict[str, Tensor]:
    shapes = {
        "0.weight": (2 * width, width),
        "0.bias": (2 * width,),
        "2.weight": (width, 2 * width),
        "2.bias": (width,),
    }
    return {f"linear.{name}": torch.randn(shape) for name, shape in shapes.items()}


def low_rank(context: int = 64) -> dict[str, Tensor]:
    def pair(key: str, out: int, inner: int) -> dict[str, Tensor]:
        return {f"{key}.lora_up.weight": torch.randn(out, 2), f"{key}.lora_down.weight": torch.randn(2, inner)}

    tensors = pair(f"lora_unet_{ATTENTION}1_to_q", 32, 32) | pair(f"lora_unet_{ATTENTION}2_to_k", 32, context)
    return tensors | pair("lora_te_text_model_encoder_layers_0_mlp_fc1", 128, 64)


@pytest.fixture(scope="module")
def library(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelLibrary:
    return ModelLibrary(models_dir, tmp_path_factory.mktemp("cache"), FAMILIES)


@pytest.fixture(scope="module")
def model(library: ModelLibrary) -> LoadedModel:
    return load_model(library, library.checkpoint("small"), None, CPU, torch.float32)


@pytest.fixture(scope="module")
def models(library: ModelLibrary) -> Models:
    return LibraryModels(library)


class Joined:
    """A member and what it told."""

    def __init__(self, models: Models, prompt: str) -> None:
        self.notices: list[str] = []
        request = GenerationRequest(prompt=prompt)
        self.member = Member(JobContext(request, None, CPU, torch.float32, models, self.notices.append))
        assert "lora" in self.member.use_networks(extra_networks(prompt)[1])


def weights(model: LoadedModel) -> dict[str, Tensor]:
    return {**model.unet.module.state_dict(), **untyped(model.text.encoders[0]).module.state_dict()}


def changed(model: LoadedModel, models: Models, prompt: str) -> dict[str, Tensor]:
    patch = Joined(models, prompt).member.patch_model(model)
    if patch is None:
        return dict(weights(model))
    with patch:
        return {name: tensor.clone() for name, tensor in weights(model).items()}


def differing(one: dict[str, Tensor], other: dict[str, Tensor]) -> set[str]:
    return {name for name in one if not torch.equal(one[name], other[name])}


@pytest.fixture
def untouched(model: LoadedModel) -> Iterator[dict[str, Tensor]]:
    """The weights before a test; afterwards they must be the very same tensors with the same bits."""
    before = dict(weights(model))
    copies = {name: tensor.clone() for name, tensor in before.items()}
    yield copies
    after = weights(model)
    assert all(after[name].data_ptr() == tensor.data_ptr() for name, tensor in before.items())
    assert not differing(after, copies)


def test_every_layer_has_both_of_its_names(model: LoadedModel) -> None:
    layers = layers_of(model)
    assert (
        layers[Place("unet", "down_blocks_0_attentions_0_proj_in")] is layers[Place("unet", "input_blocks_1_1_proj_in")]
    )
    assert (
        layers[Place("te1", "text_model_encoder_layers_0_mlp_fc1")]
        is layers[Place("te1", "transformer_resblocks_0_mlp_c_fc")]
    )
    found = {id(layer) for layer in layers.values()}
    assert all(
        id(one) in found for one in model.unet.module.modules() if isinstance(one, nn.Linear | nn.Conv2d | nn.GroupNorm)
    )


def test_a_lora_changes_its_layers_and_nothing_else(
    model: LoadedModel, models: Models, untouched: dict[str, Tensor]
) -> None:
    after = changed(model, models, "<lora:ink:0.5>")
    assert {name.rpartition("transformer_blocks.0.")[2] for name in differing(untouched, after)} == {
        "attn1.to_q.weight",
        "attn2.to_k.weight",
        next(name for name in after if name.endswith("layers.0.mlp.fc1.weight")),
    }


def test_strengths_of_text_encoder_and_unet(model: LoadedModel, models: Models, untouched: dict[str, Tensor]) -> None:
    only_text = differing(untouched, changed(model, models, "<lora:ink:1:0>"))
    assert [name.rpartition("encoder.layers.")[2] for name in only_text] == ["0.mlp.fc1.weight"]
    assert len(differing(untouched, changed(model, models, "<lora:ink:0:1>"))) == 2


def test_strength_0_changes_nothing(model: LoadedModel, models: Models, untouched: dict[str, Tensor]) -> None:
    assert not differing(untouched, changed(model, models, "<lora:ink:0> <lora:bundle:0>"))


def test_the_order_of_additive_networks_is_of_no_matter(
    model: LoadedModel, models: Models, untouched: dict[str, Tensor]
) -> None:
    one, other = (
        changed(model, models, "<lora:ink:0.5><lora:oil:0.7>"),
        changed(model, models, "<lora:oil:0.7><lora:ink:0.5>"),
    )
    assert all(torch.allclose(one[name], other[name], atol=1e-5) for name in one)
    twice = changed(model, models, "<lora:ink:0.25><lora:ink:0.25>")
    assert all(
        torch.allclose(twice[name], tensor, atol=1e-5)
        for name, tensor in changed(model, models, "<lora:ink:0.5>").items()
    )


def test_after_50_random_rounds_every_bit_is_as_it_was(
    model: LoadedModel, models: Models, untouched: dict[str, Tensor]
) -> None:
    dice = random.Random(0)
    for _ in range(50):
        tags = [
            f"<lora:{dice.choice(['ink', 'oil', 'bundle'])}:{dice.uniform(-2, 2)}>" for _ in range(dice.randint(1, 3))
        ]
        changed(model, models, "".join(tags))
        assert not differing(untouched, dict(weights(model)))


def test_a_failure_on_the_way_leaves_no_trace(
    model: LoadedModel, models: Models, untouched: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    patch = Joined(models, "<lora:ink>").member.patch_model(model)
    assert patch is not None
    calls = []

    def fails_late(self: object, weight: Tensor, *given: object) -> Tensor:
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("out of memory")
        return weight + 1

    monkeypatch.setattr("extensions.lora.network.Change.weight", fails_late)
    with pytest.raises(RuntimeError, match="out of memory"):
        patch.__enter__()


def test_equal_sets_have_equal_keys(model: LoadedModel, models: Models) -> None:
    def key(prompt: str) -> Any:
        patch = Joined(models, prompt).member.patch_model(model)
        assert patch is not None
        return untyped(patch).key

    assert key("a <lora:ink:0.5> <hypernet:h>") == key("b <hypernet:h> <lora:ink:0.50>")
    different = {
        hash(key(prompt))
        for prompt in ("<lora:ink>", "<lora:ink:0.5>", "<lora:ink:1:0.5>", "<lora:ink:1:1:1>", "<lora:oil>")
    }
    assert len(different) == 5


def test_what_the_user_is_told(model: LoadedModel, models: Models, untouched: dict[str, Tensor]) -> None:
    joined = Joined(models, "<lora:nothere> <lora:torn> <lora:foreign> <lora:x:much> <lora:ink>")
    patch = joined.member.patch_model(model)
    assert patch is not None
    with patch:
        assert len(differing(untouched, dict(weights(model)))) == 3
    told = {text.split(" was left out")[0]: text for text in joined.notices}
    assert "there are: " in told["nothere"]
    assert "truncated" in told["torn"]
    assert "another kind of model" in told["foreign"]
    assert "'much' is not a number" in told["<lora:x:much>"]
    assert known(joined.member.image_fields())["Lora hashes"].startswith("foreign: ")


def test_what_has_no_layer_is_said_and_bias_is_changed(
    model: LoadedModel, models: Models, untouched: dict[str, Tensor]
) -> None:
    joined = Joined(models, "<lora:bundle>")
    assert [embedding.name for embedding in joined.member.embeddings()] == ["face"]
    assert joined.member.embeddings()[0].origin == "bundle"
    assert {"conv_in.weight", "conv_in.bias"} <= differing(untouched, changed(model, models, "<lora:bundle>"))
    assert joined.notices == ["bundle: 1 tensor was not understood and left out (lora_unet_nowhere.alpha)"]


def test_a_network_is_found_by_its_alias_and_hash(models: Models, library: ModelLibrary) -> None:
    ink = models.find("lora", "ink")
    assert models.find("lora", "Ink Drawing") == ink
    assert models.find("lora", "sub/oil") == models.find("lora", "oil")
    digits = models.network_hash("lora", "ink")
    assert len(digits) == 12
    assert models.find("lora", digits) == ink
    assert Joined(models, "<lora:Ink Drawing:0.5>").member.image_fields() == {"Lora hashes": f"Ink Drawing: {digits}"}


def test_a_hypernetwork_stands_before_keys_and_values(
    model: LoadedModel, models: Models, untouched: dict[str, Tensor]
) -> None:
    patch = Joined(models, "<hypernet:h:0.3>").member.patch_model(model)
    assert patch is not None
    layer = untyped(model.unet.module).down_blocks[0].attentions[0].transformer_blocks[0].attn2.to_k
    context = torch.randn(1, 5, 64)
    plain = layer(context)
    net = torch.load(models.find("hypernetwork", "h"), weights_only=True)[64][0]
    hidden = torch.relu(context @ net["linear.0.weight"].T + net["linear.0.bias"])
    moved = context + 0.3 * (hidden @ net["linear.2.weight"].T + net["linear.2.bias"])
    wanted = layer(moved)
    with patch:
        assert torch.allclose(layer(context), wanted, atol=1e-4)
    assert torch.equal(layer(context), plain)


def test_a_hypernetwork_of_another_kind_of_model_is_said(model: LoadedModel, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    (folder / "hypernetworks").mkdir(parents=True)
    tensors = {f"80.{side}.linear.{name}": torch.randn(80, 80) for side in (0, 1) for name in ("0.weight",)}
    save_file({**tensors, "bogus": torch.ones(1)}, folder / "hypernetworks" / "big.safetensors")
    joined = Joined(LibraryModels(ModelLibrary(folder, tmp_path / "cache", FAMILIES)), "<hypernet:big>")
    joined.member.patch_model(model)
    assert joined.notices == [
        "big: 1 tensor was not understood and left out (bogus)",
        "big was left out: it is made for another kind of model than this one (sd1)",
    ]


def test_two_networks_of_one_name_are_told_apart_by_their_folder(model: LoadedModel, tmp_path: Path) -> None:
    for folder in ("Lora/one", "Lora/two", "LyCORIS/two"):
        (tmp_path / "models" / folder).mkdir(parents=True)
        save_file(low_rank(), tmp_path / "models" / folder / "twin.safetensors")
    models = LibraryModels(ModelLibrary(tmp_path / "models", tmp_path / "cache", FAMILIES))
    assert models.names("lora") == ("LyCORIS/two/twin.safetensors", "one/twin.safetensors", "two/twin.safetensors")
    for name in ("one/twin", "two/twin", "LyCORIS/two/twin"):
        joined = Joined(models, f"<lora:{name}>")
        assert not joined.notices
        assert models.find("lora", name).as_posix().endswith(f"{name}.safetensors")
    told = Joined(models, "<lora:twin>").notices
    assert len(told) == 1
    assert "one/twin.safetensors and two/twin.safetensors are both called 'twin'; the first was used" in told[0]


def test_a_name_may_hold_a_number_sign(model: LoadedModel, tmp_path: Path) -> None:
    (tmp_path / "models" / "Lora").mkdir(parents=True)
    save_file(low_rank(), tmp_path / "models" / "Lora" / "ink #2.safetensors")
    joined = Joined(LibraryModels(ModelLibrary(tmp_path / "models", tmp_path / "cache", FAMILIES)), "<lora:ink #2:0.5>")
    assert not joined.notices
    assert known(joined.member.image_fields())["Lora hashes"].startswith("ink #2: ")
