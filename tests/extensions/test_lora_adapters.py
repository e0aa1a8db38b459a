"""Each kind of adapter against its formula, written out once more in the plainest way, on random layers."""

import math

import pytest
import torch
from torch import Tensor

from extensions.lora.adapters import read_adapter
from extensions.lora.keys import Place
from extensions.lora.network import Change, read_network
from tests.narrowing import known, untyped
from tests.weights.sources import Memory
from webui.domain.errors import UnusableFileError

OUT, IN, RANK = 12, 8, 4
LINEAR, CONV = (OUT, IN), (OUT, IN, 3, 3)
KEY = "lora_unet_mid_block_attentions_0_proj_in"
PLACE = Place("unet", "mid_block_attentions_0_proj_in")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(7)


def change(parts: dict[str, Tensor]) -> Change:
    names = {"up": "lora_up.weight", "down": "lora_down.weight", "mid": "lora_mid.weight"}
    names |= {name: f"{name}.weight" for name in ("a1", "a2", "b1", "b2")}
    tensors = {f"{KEY}.{names.get(name, name)}": part for name, part in parts.items()}
    return read_network(untyped(Memory(tensors)), "test").changes[PLACE]


def close(ours: Tensor, formula: Tensor) -> bool:
    return ours.shape == formula.shape and float((ours - formula).abs().max()) < 1e-6 * max(
        1, float(formula.abs().max())
    )


def tucker(core: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Summed index by index: core (r, s, kh, kw), a (r, out), b (s, in)."""
    total = torch.zeros(a.shape[1], b.shape[1], *core.shape[2:])
    for r in range(core.shape[0]):
        for s in range(core.shape[1]):
            total += core[r, s] * (a[r][:, None] * b[s])[:, :, None, None]
    return total


@pytest.mark.parametrize("alpha", [None, 2.0])
def test_lora_is_up_times_down(alpha: float | None) -> None:
    parts = {"up": torch.randn(OUT, RANK), "down": torch.randn(RANK, IN)}
    if alpha:
        parts["alpha"] = torch.tensor(alpha)
    weight = torch.randn(LINEAR)
    scale = alpha / RANK if alpha else 1
    assert close(change(parts).weight(weight, 0.7), weight + 0.7 * scale * parts["up"] @ parts["down"])


def test_only_the_first_ranks_and_the_scale_of_all() -> None:
    parts = {"up": torch.randn(OUT, RANK), "down": torch.randn(RANK, IN), "alpha": torch.tensor(2.0)}
    weight = torch.randn(LINEAR)
    wanted = weight + 0.5 * parts["up"][:, :2] @ parts["down"][:2]
    assert close(change(parts).weight(weight, 1.0, 2), wanted)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_locon_of_a_convolution(layout: torch.memory_format) -> None:
    up, down = torch.randn(OUT, RANK, 1, 1), torch.randn(RANK, IN, 3, 3)
    weight = torch.randn(CONV).contiguous(memory_format=layout)
    wanted = weight + 0.5 * torch.einsum("or,rihw->oihw", up[:, :, 0, 0], down)
    changed = change({"up": up, "down": down}).weight(weight, 0.5)
    assert close(changed, wanted)
    assert changed.is_contiguous(memory_format=layout)


def test_locon_with_a_core() -> None:
    up, down, mid = torch.randn(OUT, RANK, 1, 1), torch.randn(RANK, IN, 1, 1), torch.randn(RANK, RANK, 3, 3)
    weight = torch.randn(CONV)
    wanted = weight + tucker(mid, up[:, :, 0, 0].T, down[:, :, 0, 0])
    assert close(change({"up": up, "down": down, "mid": mid}).weight(weight, 1.0), wanted)


def test_loha() -> None:
    parts = {
        f"hada_w{n}_{side}": torch.randn((OUT, RANK) if side == "a" else (RANK, IN)) for n in (1, 2) for side in "ab"
    }
    weight = torch.randn(LINEAR)
    product = (parts["hada_w1_a"] @ parts["hada_w1_b"]) * (parts["hada_w2_a"] @ parts["hada_w2_b"])
    scaled = change({**parts, "alpha": torch.tensor(1.0)}).weight(weight, 0.8)
    assert close(scaled, weight + 0.8 / RANK * product)


def test_loha_with_cores() -> None:
    parts = {f"hada_w{n}_{side}": torch.randn(RANK, OUT if side == "a" else IN) for n in (1, 2) for side in "ab"}
    parts |= {f"hada_t{n}": torch.randn(RANK, RANK, 3, 3) for n in (1, 2)}
    weight = torch.randn(CONV)
    first, second = (tucker(parts[f"hada_t{n}"], parts[f"hada_w{n}_a"], parts[f"hada_w{n}_b"]) for n in (1, 2))
    assert close(change(parts).weight(weight, 1.0), weight + first * second)


@pytest.mark.parametrize("form", ["whole", "factors", "core"])
def test_lokr(form: str) -> None:
    small = torch.randn(3, 2)
    weight = torch.randn(LINEAR if form != "core" else CONV)
    parts = {"lokr_w1": small, "alpha": torch.tensor(1.0)}
    if form == "whole":
        large = parts["lokr_w2"] = torch.randn(4, 4)
    elif form == "factors":
        parts |= {"lokr_w2_a": torch.randn(4, 2), "lokr_w2_b": torch.randn(2, 4)}
        large = parts["lokr_w2_a"] @ parts["lokr_w2_b"]
    else:
        parts |= {"lokr_w2_a": torch.randn(2, 4), "lokr_w2_b": torch.randn(2, 4), "lokr_t2": torch.randn(2, 2, 3, 3)}
        large = tucker(parts["lokr_t2"], parts["lokr_w2_a"], parts["lokr_w2_b"])
    delta = torch.zeros_like(weight)
    for i in range(3):
        for j in range(2):
            delta[4 * i : 4 * i + 4, 4 * j : 4 * j + 4] = small[i, j] * large
    scale = 1.0 if form == "whole" else 0.5
    assert close(change(parts).weight(weight, 1.0), weight + scale * delta)


@pytest.mark.parametrize("on_input", [False, True])
@pytest.mark.parametrize("shape", [LINEAR, CONV])
def test_ia3_scales_channels(on_input: bool, shape: tuple[int, ...]) -> None:
    vector, weight = torch.randn(IN if on_input else OUT), torch.randn(shape)
    wanted = weight.clone()
    for channel, factor in enumerate(vector):
        (wanted[:, channel] if on_input else wanted[channel]).mul_(1 + 0.6 * factor)
    assert close(change({"weight": vector, "on_input": torch.tensor(on_input)}).weight(weight, 0.6), wanted)


def test_full_difference_with_bias() -> None:
    parts = {"diff": torch.randn(LINEAR), "diff_b": torch.randn(OUT)}
    weight = torch.randn(LINEAR)
    found = change(parts)
    assert close(found.weight(weight, 0.3), weight + 0.3 * parts["diff"])
    assert torch.equal(known(found.bias), parts["diff_b"])


def test_a_norm() -> None:
    parts = {"w_norm": torch.randn(OUT), "b_norm": torch.randn(OUT)}
    found = change(parts)
    assert close(found.weight(torch.ones(OUT), 0.5), 1 + 0.5 * parts["w_norm"])
    assert torch.equal(known(found.bias), parts["b_norm"])


@pytest.mark.parametrize("shape", [LINEAR, (OUT, IN, 1, 1)])
def test_glora_ignores_alpha(shape: tuple[int, ...]) -> None:
    parts = {
        "a1": torch.randn(RANK, IN),
        "a2": torch.randn(IN, RANK),
        "b1": torch.randn(RANK, IN),
        "b2": torch.randn(OUT, RANK),
    }
    weight = torch.randn(shape)
    flat = weight.flatten(1)
    delta = parts["b2"] @ parts["b1"] + flat @ parts["a2"] @ parts["a1"]
    changed = change({**parts, "alpha": torch.tensor(1.0)}).weight(weight, 0.5)
    assert close(changed, (flat + 0.5 * delta).reshape(shape))


def rotation(block: Tensor) -> Tensor:
    skew = block - block.T
    identity = torch.eye(len(block))
    turned: Tensor = (identity + skew) @ torch.linalg.inv(identity - skew)
    return turned


@pytest.mark.parametrize("shape", [LINEAR, CONV])
def test_oft_turns_blocks_of_rows(shape: tuple[int, ...]) -> None:
    blocks, weight = 0.2 * torch.randn(3, 4, 4), torch.randn(shape)
    wanted = torch.cat(
        [torch.einsum("nm,n...->m...", rotation(b), weight[4 * i : 4 * i + 4]) for i, b in enumerate(blocks)]
    )
    assert close(change({"oft_blocks": blocks}).weight(weight, 1.0), wanted)
    assert close(change({"oft_blocks": blocks}).weight(weight, 0.4), weight + 0.4 * (wanted - weight))


def test_oft_keeps_the_norm_of_every_column_and_bounds_its_angle() -> None:
    blocks, weight = torch.randn(3, 4, 4), torch.randn(LINEAR)
    free = change({"oft_blocks": blocks}).weight(weight, 1.0)
    assert torch.allclose(free.norm(dim=0), weight.norm(dim=0), atol=1e-5)
    bound = change({"oft_blocks": blocks, "alpha": torch.tensor(0.01 / OUT)}).weight(weight, 1.0)
    assert float((bound - weight).norm()) < 0.03 * float(weight.norm())


def test_oft_with_rotations_and_row_factors() -> None:
    turns, factors, weight = torch.randn(3, 4, 4), torch.rand(OUT, 1), torch.randn(LINEAR)
    wanted = torch.cat([turn.T @ weight[4 * i : 4 * i + 4] for i, turn in enumerate(turns)]) * factors
    assert close(change({"oft_diag": turns, "rescale": factors}).weight(weight, 1.0), wanted)


def test_boft_is_orthogonal_and_without_angles_nothing() -> None:
    weight = torch.randn(16, 5)
    turned = change({"oft_blocks": 0.3 * torch.randn(3, 4, 4, 4)}).weight(weight, 1.0)
    assert torch.allclose(turned.norm(dim=0), weight.norm(dim=0), atol=1e-5)
    assert float((turned - weight).abs().max()) > 0.1
    assert close(change({"oft_blocks": torch.zeros(3, 4, 4, 4)}).weight(weight, 1.0), weight)


def test_a_butterfly_reaches_across_blocks() -> None:
    blocks = torch.zeros(2, 2, 4, 4)
    blocks[1] = 0.5 * torch.randn(2, 4, 4)
    weight = torch.zeros(8, 1)
    weight[0] = 1
    turned = change({"oft_blocks": blocks}).weight(weight, 1.0)
    assert float(turned[4:].abs().max()) > 0.01


@pytest.mark.parametrize("shape", [LINEAR, CONV])
@pytest.mark.parametrize("by_output", [False, True])
def test_dora_brings_norms_to_their_magnitude(shape: tuple[int, ...], by_output: bool) -> None:
    columns = math.prod(shape[1:])
    parts = {"up": torch.randn(OUT, RANK), "down": torch.randn(RANK, columns).reshape(RANK, *shape[1:])}
    kept = OUT if by_output else IN
    magnitude = torch.rand((kept, *[1] * (len(shape) - 1)) if by_output else (1, kept, *[1] * (len(shape) - 2)))
    weight = torch.randn(shape)
    changed = change({**parts, "dora_scale": magnitude, "alpha": torch.tensor(2.0)}).weight(weight, 1.0)
    rest = [axis for axis in range(len(shape)) if axis != (0 if by_output else 1)]
    assert torch.allclose(changed.pow(2).sum(dim=rest).sqrt(), magnitude.flatten(), atol=1e-5)
    merged = weight + 0.5 * (parts["up"] @ parts["down"].flatten(1)).reshape(shape)
    directions = merged / merged.pow(2).sum(dim=rest, keepdim=True).sqrt()
    half = change({**parts, "dora_scale": magnitude, "alpha": torch.tensor(2.0)}).weight(weight, 0.5)
    assert close(half, weight + 0.5 * (directions * magnitude - weight))


def test_a_9_channel_convolution_gets_zeros_where_nothing_was_trained() -> None:
    parts = {"up": torch.randn(OUT, RANK, 1, 1), "down": torch.randn(RANK, 4, 3, 3)}
    weight = torch.randn(OUT, 9, 3, 3)
    found = change(parts)
    changed = found.weight(weight, 1.0)
    assert found.fits(weight.shape)
    assert torch.equal(changed[:, 4:], weight[:, 4:])
    assert close(changed[:, :4], weight[:, :4] + torch.einsum("or,rihw->oihw", parts["up"][:, :, 0, 0], parts["down"]))


def test_a_stored_scale_and_addend_count() -> None:
    parts = {"up": torch.randn(OUT, RANK), "down": torch.randn(RANK, IN), "bias": torch.randn(OUT, IN)}
    weight = torch.randn(LINEAR)
    wanted = weight + 0.25 * (parts["up"] @ parts["down"] + parts["bias"])
    assert close(change({**parts, "scale": torch.tensor(0.25), "alpha": torch.tensor(9.0)}).weight(weight, 1.0), wanted)


def test_fp16_files_of_lycoris_kinds_round_what_they_touch() -> None:
    """As A1111 does: only seen where the model is float32."""
    weight, difference = torch.randn(LINEAR), torch.randn(LINEAR).half()
    wanted = (weight.half() + difference).float()
    assert torch.equal(change({"diff": difference}).weight(weight, 1.0), wanted)


def test_the_weight_given_is_left_alone() -> None:
    weight = torch.randn(LINEAR)
    before = weight.clone()
    change({"up": torch.randn(OUT, RANK), "down": torch.randn(RANK, IN)}).weight(weight, 1.0)
    assert torch.equal(weight, before)


def test_parts_that_make_no_adapter() -> None:
    assert read_adapter({"alpha": torch.tensor(1.0)}) is None
    with pytest.raises(UnusableFileError, match=r"mid_block_attentions_0_proj_in.*up has the shape"):
        change({"up": torch.randn(OUT), "down": torch.randn(RANK, IN)})
    with pytest.raises(UnusableFileError, match="no LoRA or LyCORIS"):
        read_network(untyped(Memory({"model.weight": torch.ones(2)})), "x")
    with pytest.raises(UnusableFileError, match=r"lora_up\.weight holds NaN"):
        change({"up": torch.full((OUT, RANK), math.nan), "down": torch.randn(RANK, IN)})
