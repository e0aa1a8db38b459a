"""LoRAs merged into checkpoints, with each other, and taken out of two checkpoints."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from extensions.checkpoint_merge.lora_files import extract_lora, merge_loras
from extensions.checkpoint_merge.loras import Factors
from extensions.checkpoint_merge.low_rank import nearest, reduced, stacked
from extensions.checkpoint_merge.merging import merge
from extensions.checkpoint_merge.options import ExtractOptions, LoraShare, MergeLorasOptions, MergeOptions
from tests.extensions.merging import TEXT, UNET, Folder, checkpoint, largest_error
from webui.extension_api import BadRequestError, UnusableFileError

SD = "Stable-diffusion"
QUERY = f"{UNET}input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight"
KERNEL = f"{UNET}input_blocks.1.0.in_layers.2.weight"
PROJECTION = f"{UNET}input_blocks.1.1.proj_in.weight"
VALUE = f"{TEXT}encoder.layers.0.self_attn.v_proj.weight"
LAYERS = {
    "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q": QUERY,
    "lora_unet_input_blocks_1_0_in_layers_2": KERNEL,
    "lora_unet_down_blocks_0_attentions_0_proj_in": PROJECTION,
    "lora_te_text_model_encoder_layers_0_self_attn_v_proj": VALUE,
}
Tensors = dict[str, Tensor]


def lora(seed: int, model: Tensors, rank: int = 4, alpha: float = 2.0) -> Tensors:
    """A random LoRA for four layers of every kind."""
    torch.manual_seed(seed)
    made: Tensors = {}
    for layer, name in LAYERS.items():
        out, inner, *kernel = model[name].shape
        made[f"{layer}.lora_up.weight"] = 0.1 * torch.randn(out, rank, *(1 for _ in kernel))
        made[f"{layer}.lora_down.weight"] = 0.1 * torch.randn(rank, inner, *kernel)
        made[f"{layer}.alpha"] = torch.tensor(alpha)
    return made


def delta(made: Tensors, layer: str) -> Tensor:
    """scale x up x down in double precision, kernels flattened: (out, in x kernel)."""
    up, down = made[f"{layer}.lora_up.weight"].double(), made[f"{layer}.lora_down.weight"].double()
    return float(made[f"{layer}.alpha"]) / len(down) * (up.flatten(1) @ down.flatten(1))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path)
    model = folder.put(f"{SD}/a", checkpoint(1))
    folder.put("Lora/first", lora(1, model))
    folder.put("Lora/second", lora(2, model, rank=3, alpha=3.0))
    return folder


def test_a_checkpoint_with_loras_is_its_formula(folder: Folder) -> None:
    merge(MergeOptions(a="a", method="copy", loras="first:0.8, second:-0.5", name="out"), folder.context())
    a, first, second = folder.get(f"{SD}/a"), folder.get("Lora/first"), folder.get("Lora/second")
    wanted = dict(a)
    for layer, name in LAYERS.items():
        change = 0.8 * delta(first, layer) - 0.5 * delta(second, layer)
        wanted[name] = a[name].double() + change.reshape(a[name].shape)
    assert largest_error(folder.merged(), wanted) < 1e-6


def test_shares_are_read_from_text_and_from_a_list() -> None:
    text = MergeOptions(a="a", method="copy", loras="in/side:0.8, plain")
    assert text.loras == (LoraShare(name="in/side", weight=0.8), LoraShare(name="plain"))
    assert MergeOptions(a="a", method="copy", loras=[{"name": "plain"}]).loras == text.loras[1:]
    for name in ("plain", "a, b", "x:y"):
        options = MergeOptions(a="a", method="copy", loras=[{"name": name, "weight": 1 / 3}])
        assert MergeOptions.model_validate_json(options.model_dump_json()) == options


@pytest.mark.parametrize("method", ["svd", "concat"])
def test_merged_loras_do_what_their_weighted_sum_does(method: str, folder: Folder) -> None:
    options = MergeLorasOptions(loras="first:0.8, second:-0.5", method=method, rank=7, precision="fp32", name="both")
    merge_loras(options, folder.context())
    both, first, second = folder.get("Lora/both"), folder.get("Lora/first"), folder.get("Lora/second")
    for layer in LAYERS:
        wanted = 0.8 * delta(first, layer) - 0.5 * delta(second, layer)
        assert float((delta(both, layer) - wanted).abs().max()) < 1e-6
        assert both[f"{layer}.lora_down.weight"].shape[0] == 7
    merge(MergeOptions(a="a", method="copy", loras="both", name="out"), folder.context())


def test_a_smaller_rank_is_the_best_of_its_rank(folder: Folder) -> None:
    options = MergeLorasOptions(loras="first, second", rank=2, precision="fp32", name="small")
    merge_loras(options, folder.context())
    small, first, second = folder.get("Lora/small"), folder.get("Lora/first"), folder.get("Lora/second")
    for layer in LAYERS:
        whole = delta(first, layer) + delta(second, layer)
        values = torch.linalg.svdvals(whole)
        error = torch.linalg.norm(delta(small, layer) - whole)
        assert float(error) == pytest.approx(float(values[2:].square().sum().sqrt()), abs=1e-6)


def test_the_core_gives_the_factors_of_the_full_matrix() -> None:
    torch.manual_seed(0)
    parts = [(Factors(torch.randn(30, 4), torch.randn(4, 5, 3, 3), 0.5), w) for w in (0.7, -0.2)]
    total = stacked(parts)
    quick, full = reduced(total, 5, 1.0), nearest(total.delta, 5, 1.0)
    torch.testing.assert_close(quick.delta, full.delta, rtol=0, atol=1e-4)
    assert quick.down.shape == (5, 5, 3, 3)


def test_clamped_factors_end_at_the_quantile() -> None:
    difference = torch.randn(40, 30, generator=torch.Generator().manual_seed(0))
    free, cut = nearest(difference, 8, 1.0), nearest(difference, 8, 0.99)
    top = torch.quantile(torch.cat([free.up.flatten(), free.down.flatten()]), 0.99)
    torch.testing.assert_close(cut.up, free.up.clamp(-top, top))
    torch.testing.assert_close(cut.down, free.down.clamp(-top, top))


def test_extracting_gives_back_what_was_merged_in(folder: Folder) -> None:
    merge(MergeOptions(a="a", method="copy", loras="first", name="tuned"), folder.context())
    options = ExtractOptions(base="a", tuned="tuned", rank=4, conv_rank=4, precision="fp32", name="taken")
    result = extract_lora(options, folder.context())
    taken, first = folder.get("Lora/taken"), folder.get("Lora/first")
    layers = {name.partition(".")[0] for name in taken}
    assert "4 layers" in result.text
    kernel = "lora_unet_down_blocks_0_resnets_0_conv1"
    assert layers == {*LAYERS.keys() - {"lora_unet_input_blocks_1_0_in_layers_2"}, kernel}
    for layer in LAYERS:
        mine = kernel if "in_layers" in layer else layer
        assert float((delta(taken, mine) - delta(first, layer)).abs().max()) < 1e-6
    merge(MergeOptions(a="a", method="copy", loras="taken", name="again"), folder.context())
    assert largest_error(folder.merged("again"), folder.merged("tuned")) < 1e-6


def test_equal_checkpoints_have_nothing_to_extract(folder: Folder) -> None:
    with pytest.raises(BadRequestError, match="nothing to take"):
        extract_lora(ExtractOptions(base="a", tuned="a", name="none"), folder.context())
    assert "Lora/none.safetensors" not in folder.files()


def kinds() -> dict[str, tuple[Tensors, Tensor]]:
    """Parts of each kind for a (64, 32) layer `x`, and the change they stand for."""
    torch.manual_seed(5)
    r, out, inner = 3, 32, 32
    a1, b1, a2, b2 = torch.randn(out, r), torch.randn(r, inner), torch.randn(out, r), torch.randn(r, inner)
    w1, w2 = torch.randn(4, 4), torch.randn(8, 8)
    return {
        "loha": ({"hada_w1_a": a1, "hada_w1_b": b1, "hada_w2_a": a2, "hada_w2_b": b2, "alpha": torch.tensor(1.5)},
                 1.5 / r * (a1 @ b1) * (a2 @ b2)),
        "lokr": ({"lokr_w1": w1, "lokr_w2": w2}, torch.kron(w1, w2)),
        "full": ({"diff": a1 @ b1}, a1 @ b1),
        "peft": ({"lora_A.weight": b1, "lora_B.weight": a1}, a1 @ b1),
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["loha", "lokr", "full", "peft"])
def test_other_kinds_are_their_formulas(kind: str, folder: Folder) -> None:
    parts, change = kinds()[kind]
    plain = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    layer = plain if kind == "peft" else next(iter(LAYERS))
    folder.put("Lora/kind", {f"{layer}.{part}": value for part, value in parts.items()})
    merge(MergeOptions(a="a", method="copy", loras="kind:0.5", name="out"), folder.context())
    wanted = folder.get(f"{SD}/a")[QUERY] + 0.5 * change
    torch.testing.assert_close(folder.merged()[QUERY], wanted)


def test_a_lora_for_another_model_is_refused_with_both_names(folder: Folder) -> None:
    folder.put("Lora/foreign", {"lora_unet_joint_blocks_0.lora_up.weight": torch.zeros(4, 2),
                                "lora_unet_joint_blocks_0.lora_down.weight": torch.zeros(2, 4)})  # fmt: skip
    with pytest.raises(BadRequestError, match=r"foreign.* fits no layer of a\.safetensors"):
        merge(MergeOptions(a="a", method="copy", loras="foreign", name="out"), folder.context())
    layer = next(iter(LAYERS))
    folder.put(
        "Lora/wide", {f"{layer}.lora_up.weight": torch.zeros(9, 2), f"{layer}.lora_down.weight": torch.zeros(2, 9)}
    )
    with pytest.raises(UnusableFileError, match=rf"wide: layer {layer} has the shape \(9, 9\)"):
        merge(MergeOptions(a="a", method="copy", loras="wide", name="out"), folder.context())
    with pytest.raises(BadRequestError, match="different models"):
        merge_loras(MergeLorasOptions(loras="first, wide", name="out"), folder.context())
    folder.put("Lora/dora", {**folder.get("Lora/first"), f"{layer}.dora_scale": torch.ones(1, 32)})
    with pytest.raises(UnusableFileError, match=r"dora: .*dora_scale"):
        merge(MergeOptions(a="a", method="copy", loras="dora", name="out"), folder.context())
    assert f"{SD}/out.safetensors" not in folder.files()
