"""Control networks against diffusers' own, on random tiny ones of every family and layout."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.adapter import T2IAdapter
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.controlnets.controlnet_union import ControlNetUnionModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor, nn

from extensions.controlnet.blocks import timestep_embedding
from extensions.controlnet.control_kinds import union_kind
from extensions.controlnet.control_lora import borrowed
from extensions.controlnet.control_net import ControlNet
from extensions.controlnet.lllite import LLLite
from extensions.controlnet.modules import MODULES
from extensions.controlnet.t2i_adapter import FullAdapter, LightAdapter
from extensions.controlnet.unit_networks import Network, build
from tests.narrowing import untyped
from webui.domain.errors import UnusableFileError
from webui.library.layout import unet_layout
from webui.weights.tensors import TensorFile

CPU = torch.device("cpu")
CLOSE: dict[str, Any] = {"atol": 1e-4, "rtol": 1e-4}
SIZE = 16  # of the latents; the hint is 128 pixels wide


@dataclass(frozen=True)
class Family:
    """A tiny control network of diffusers: what it is built with, and its attention heads by level."""

    heads: tuple[int, ...]
    options: dict[str, Any]


LEVELS = ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D")
FAMILIES = {
    "sd1": Family((4, 4, 4), {"down_block_types": LEVELS, "cross_attention_dim": 24}),
    "sd2": Family(
        (2, 4, 4),
        {"down_block_types": LEVELS, "cross_attention_dim": 40, "use_linear_projection": True},
    ),
    "sdxl": Family(
        (2, 4, 4),
        {
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "cross_attention_dim": 56,
            "use_linear_projection": True,
            "transformer_layers_per_block": (1, 2, 1),
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 6 * 8 + 20,
        },
    ),
}


def theirs(family: Family) -> ControlNetModel:
    torch.manual_seed(0)
    network: ControlNetModel = untyped(ControlNetModel)(
        block_out_channels=(32, 64, 64),
        layers_per_block=2,
        attention_head_dim=family.heads,
        conditioning_embedding_out_channels=(8, 16, 24, 32),
        norm_num_groups=32,
        **family.options,
    ).eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)  # the zero convolutions too
    return network


def ours(tensors: dict[str, Tensor], folder: Path) -> Network:
    path = folder / "net.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    with TensorFile(path) as source:
        return build(source, CPU, torch.float32)


def call(family: Family) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Latents, times (one of them between two steps), text and hint."""
    torch.manual_seed(1)
    context = torch.randn(2, 7, family.options["cross_attention_dim"])
    return torch.randn(2, 4, SIZE, SIZE), torch.tensor([999.0, 3.5]), context, torch.rand(1, 3, SIZE * 8, SIZE * 8)


def vector(family: Family, pooled: Tensor, sizes: Tensor) -> tuple[dict[str, Tensor], Tensor | None]:
    """SDXL's further conditioning as diffusers takes it, and as one vector."""
    if "addition_embed_type" not in family.options:
        return {}, None
    embedded = timestep_embedding(sizes.flatten(), 8).reshape(len(sizes), -1)
    return {"text_embeds": pooled, "time_ids": sizes}, torch.cat([pooled, embedded], dim=1)


@pytest.mark.parametrize("layout", ["diffusers", "ldm"])
@pytest.mark.parametrize("name", FAMILIES)
def test_residuals_are_those_of_diffusers(name: str, layout: str, tmp_path: Path) -> None:
    family = FAMILIES[name]
    reference = theirs(family)
    network = ours(dict(reference.state_dict()), tmp_path)
    assert isinstance(network, ControlNet)
    if layout == "ldm":
        renamed = {f"control_model.{key}": tensor for key, tensor in network.state_dict().items()}
        network = ours(renamed, tmp_path)
        assert isinstance(network, ControlNet)
    network.set_heads(family.heads)
    sample, times, context, hint = call(family)
    added, flat = vector(family, torch.randn(2, 20), torch.randint(0, 900, (2, 6)).float())
    with torch.no_grad():
        down, mid = reference(sample, times, context, hint, added_cond_kwargs=added or None, return_dict=False)
        *found, found_mid = network(sample, times, context, flat, network.embed_hint(hint))
    assert len(found) == len(down)
    for here, there in zip(found, down, strict=True):
        torch.testing.assert_close(here, there, **CLOSE)
    torch.testing.assert_close(found_mid, mid, **CLOSE)


def union(types: int) -> ControlNetUnionModel:
    torch.manual_seed(0)
    family = FAMILIES["sdxl"]
    network: ControlNetUnionModel = untyped(ControlNetUnionModel)(
        block_out_channels=(32, 64, 64),
        layers_per_block=2,
        attention_head_dim=family.heads,
        conditioning_embedding_out_channels=(8, 16, 24, 32),
        norm_num_groups=32,
        num_control_type=types,
        num_trans_channel=32,
        num_proj_channel=32,
        **family.options,
    ).eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    return network


@pytest.mark.parametrize(("types", "kind"), [(6, 0), (8, 7)])
def test_a_union_is_told_which_map_it_sees(types: int, kind: int, tmp_path: Path) -> None:
    reference, family = union(types), FAMILIES["sdxl"]
    network = ours(dict(reference.state_dict()), tmp_path)
    assert isinstance(network, ControlNet)
    assert network.shape.types == (types, 8, 1)
    network.set_heads(family.heads)
    sample, times, context, hint = call(family)
    added, flat = vector(family, torch.randn(2, 20), torch.randint(0, 900, (2, 6)).float())
    chosen = nn.functional.one_hot(torch.tensor([kind, kind]), types).float()
    with torch.no_grad():
        down, mid = untyped(reference)(
            sample, times, context, [hint.expand(2, -1, -1, -1)], chosen, [kind], added_cond_kwargs=added,
            return_dict=False,
        )  # fmt: skip
        *found, found_mid = network(sample, times, context, flat, network.embed_hint(hint, kind), kind)
        other = network(sample, times, context, flat, network.embed_hint(hint), None)
    for here, there in zip((*found, found_mid), (*down, mid), strict=True):
        torch.testing.assert_close(here, there, **CLOSE)
    assert not torch.allclose(other[-1], mid, atol=1e-3)


def test_the_kind_of_a_map_is_chosen_or_that_of_the_preprocessor() -> None:
    assert union_kind("Tile", ("Canny",)) == 6
    assert union_kind("Unknown", ("Canny",)) == 3
    assert union_kind("Unknown", ("IP-Adapter",)) is None
    kinds = {name: union_kind("Unknown", module.types) for name, module in MODULES.items()}
    assert (kinds["dw_openpose_full"], kinds["depth_midas"], kinds["scribble_hed"], kinds["mlsd"]) == (0, 1, 2, 3)
    assert (kinds["normal_bae"], kinds["seg_ofade20k"], kinds["tile_resample"], kinds["inpaint_only"]) == (4, 5, 6, 7)
    assert kinds["none"] is kinds["shuffle"] is None


def test_it_holds_what_the_file_holds_and_nothing_more(tmp_path: Path) -> None:
    tensors = dict(theirs(FAMILIES["sd1"]).state_dict())
    network = ours(tensors, tmp_path)
    assert sum(one.numel() for one in network.parameters()) == sum(one.numel() for one in tensors.values())


@pytest.mark.parametrize(
    ("kind", "channels", "shrink"),
    [("full_adapter", 3, 8), ("full_adapter", 1, 8), ("full_adapter_xl", 3, 16), ("light_adapter", 3, 8)],
)
@pytest.mark.parametrize("layout", ["diffusers", "original"])
def test_adapter_features_are_those_of_diffusers(
    kind: str, channels: int, shrink: int, layout: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    reference = T2IAdapter(
        in_channels=channels, channels=[32, 64, 96, 96], num_res_blocks=2, downscale_factor=shrink, adapter_type=kind
    ).eval()
    network = ours(dict(reference.state_dict()), tmp_path)
    if layout == "original":
        network = ours(dict(network.state_dict()), tmp_path)
    assert isinstance(network, FullAdapter | LightAdapter)
    hint = torch.rand(1, channels, 128, 128)
    with torch.no_grad():
        for here, there in zip(network(hint), reference(hint), strict=True):
            torch.testing.assert_close(here, there, **CLOSE)


class Lender:
    """As much of a loaded checkpoint as is asked of it."""

    def __init__(self, module: UNet2DConditionModel) -> None:
        self.unet = type("Door", (), {"module": module, "shape": type("Shape", (), {"layout": LAYOUT})()})()
        self.file = type("File", (), {"name": "tiny"})()


LAYOUT = unet_layout([2, 2, 2], [True, True, False])


def tiny_unet(context: int = 24) -> UNet2DConditionModel:
    torch.manual_seed(2)
    unet: UNet2DConditionModel = untyped(UNet2DConditionModel)(
        block_out_channels=(32, 64, 64),
        down_block_types=LEVELS,
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=4,
        cross_attention_dim=context,
    ).eval()
    return unet


def factored(network: ControlNet, lender: UNet2DConditionModel) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A control-LoRA's file, and the whole network that it stands for."""
    small: dict[str, Tensor] = {"lora_controlnet": torch.zeros(1)}
    whole: dict[str, Tensor] = {}
    own = ("input_hint_block", "zero_convs", "middle_block_out")
    for name, tensor in network.state_dict().items():
        layer, _, leaf = name.rpartition(".")
        whole[name] = small[name] = tensor
        if leaf != "weight" or tensor.ndim == 1 or name.startswith(own):
            continue
        there: Tensor = untyped(lender.get_submodule(LAYOUT.to_diffusers(layer) or "")).weight
        up = torch.randn(tensor.shape[0], 3, *([1] * (tensor.ndim - 2))) * 0.05
        down = torch.randn(3, *tensor.shape[1:]) * 0.05
        del small[name]
        small |= {f"{layer}.up": up, f"{layer}.down": down}
        whole[name] = there.detach() + (up.flatten(1) @ down.flatten(1)).view_as(there)
    return small, {f"control_model.{name}": tensor for name, tensor in whole.items()}


def assert_borrowing_equals(network: object, merged: object, lender: nn.Module, **close: Any) -> None:
    """A network that borrows the checkpoint's weights answers as the one that has them all."""
    family = FAMILIES["sd1"]
    assert isinstance(network, ControlNet)
    assert isinstance(merged, ControlNet)
    for one in (network, merged):
        one.set_heads(family.heads)
    sample, times, context, hint = call(family)
    with torch.no_grad():
        wanted = merged(sample, times, context, None, merged.embed_hint(hint))
        with borrowed(network, Lender(lender)):  # type: ignore[arg-type]
            found = network(sample, times, context, None, network.embed_hint(hint))
    for here, there in zip(found, wanted, strict=True):
        torch.testing.assert_close(here, there, **close)


def test_a_control_lora_is_the_checkpoints_encoder_with_the_low_rank_change(tmp_path: Path) -> None:
    family, lender = FAMILIES["sd1"], tiny_unet()
    base = ours(dict(theirs(family).state_dict()), tmp_path)
    assert isinstance(base, ControlNet)
    small, whole = factored(base, lender)
    network, merged = ours(small, tmp_path), ours(whole, tmp_path)
    assert_borrowing_equals(network, merged, lender, **CLOSE)
    assert sum(one.numel() for one in network.parameters()) == sum(one.numel() for one in small.values()) - 1


def test_a_difference_is_added_to_the_checkpoints_weights(tmp_path: Path) -> None:
    family, lender = FAMILIES["sd1"], tiny_unet()
    base = ours(dict(theirs(family).state_dict()), tmp_path)
    assert isinstance(base, ControlNet)
    whole = {f"control_model.{name}": tensor for name, tensor in base.state_dict().items()}
    own = ("input_hint_block", "zero_convs", "middle_block_out")
    difference = {"difference": torch.zeros(1)}
    for name, tensor in base.state_dict().items():
        layer, _, leaf = name.rpartition(".")
        is_lent = not name.startswith(own)
        there = getattr(lender.get_submodule(LAYOUT.to_diffusers(layer) or ""), leaf) if is_lent else 0
        difference[f"control_model.{name}"] = (tensor - there).detach()
    assert_borrowing_equals(ours(difference, tmp_path), ours(whole, tmp_path), lender, atol=1e-3, rtol=1e-3)


def test_lllite_reads_its_sizes_from_the_tensors(tmp_path: Path) -> None:
    layer = "lllite_unet_input_blocks_1_1_transformer_blocks_0_attn1_to_q"
    shapes = {
        "conditioning1.0": (8, 3, 4, 4), "conditioning1.2": (16, 8, 2, 2), "down.0": (12, 32), "mid.0": (12, 28),
        "up.0": (32, 12),
    }  # fmt: skip
    tensors = {f"{layer}.{name}.weight": torch.randn(shape) for name, shape in shapes.items()}
    tensors |= {f"{layer}.{name}.bias": torch.randn(shape[0]) for name, shape in shapes.items()}
    network = ours(tensors, tmp_path)
    assert isinstance(network, LLLite)
    module = untyped(network.layers[layer])
    embedded = module.embed(torch.rand(1, 3, 64, 48), (8, 6))
    assert module(torch.randn(2, 48, 32), embedded).shape == (2, 48, 32)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"ip_adapter.1.to_k_ip.weight": (4, 4)}, "an IP-Adapter"),
        ({"model.diffusion_model.input_blocks.0.0.weight": (4, 4, 3, 3)}, "no control network"),
        ({"control_model.input_hint_block.0.weight": (4, 3, 3, 3)}, "input_blocks.0.0.weight is missing"),
    ],
)
def test_other_files_are_refused_by_name(tensors: dict[str, tuple[int, ...]], said: str, tmp_path: Path) -> None:
    with pytest.raises(UnusableFileError, match=said):
        ours({name: torch.zeros(shape) for name, shape in tensors.items()}, tmp_path)


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: t * float("nan")], ids=["shape", "nan"])
def test_damaged_tensors_are_named(change: Callable[[Tensor], Tensor], tmp_path: Path) -> None:
    tensors = dict(theirs(FAMILIES["sd1"]).state_dict())
    key = "mid_block.resnets.0.conv2.weight"
    with pytest.raises(Exception, match="mid_block"):
        ours(tensors | {key: change(tensors[key])}, tmp_path)
