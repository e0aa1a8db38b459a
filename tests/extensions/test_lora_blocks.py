"""Block weights of LoRA tags: which layer lies in which block, what presets and elements mean, what they change."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from extensions.lora.block_weights import (
    BLOCKS,
    BlockWeightError,
    block_of,
    element_presets_of,
    presets_of,
    read_block_weights,
)
from extensions.lora.keys import Place
from extensions.lora.layers import block_names
from extensions.lora.low_rank_kinds import LowRank
from extensions.lora.member import Member
from extensions.lora.network import Change, Network
from extensions.lora.options import BLOCK_PRESETS, ELEMENT_PRESETS, LoraOptions
from extensions.lora.overlap import Spot, overlaps, told_of_overlaps
from extensions.lora.patch import Wanted
from extensions.lora.preset_files import block_presets, element_presets
from extensions.lora.tags import Window, read_tags
from tests.library.small import small_checkpoint
from tests.narrowing import untyped
from webui.domain.request import GenerationRequest
from webui.extension_api import JobContext, extra_networks
from webui.library.library import ModelLibrary
from webui.plugins.models import LibraryModels
from webui.weights.families.registry import FAMILIES
from webui.weights.load import load_model
from webui.weights.model import LoadedModel

CPU = torch.device("cpu")
PRESETS, ELEMENTS = presets_of(BLOCK_PRESETS), element_presets_of(ELEMENT_PRESETS)
IN1 = "diffusion_model_input_blocks_1_1_transformer_blocks_0_attn1_to_q"
IN1_NOW = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight"
TEXT = "transformer_text_model_encoder_layers_0_mlp_fc1"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ModelLibrary:
    folder = tmp_path_factory.mktemp("models")
    for name in ("Stable-diffusion", "Lora"):
        (folder / name).mkdir()
    save_file(small_checkpoint(1), folder / "Stable-diffusion" / "small.safetensors")
    torch.manual_seed(3)
    attention = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn"
    tensors: dict[str, Tensor] = {}
    for key, (out, inner) in {
        f"{attention}1_to_q": (32, 32), f"{attention}2_to_k": (32, 64),
        "lora_te_text_model_encoder_layers_0_mlp_fc1": (128, 64),
    }.items():  # fmt: skip
        tensors |= {f"{key}.lora_up.weight": torch.randn(out, 2), f"{key}.lora_down.weight": torch.randn(2, inner)}
    save_file(tensors, folder / "Lora" / "ink.safetensors")
    return ModelLibrary(folder, tmp_path_factory.mktemp("cache"), FAMILIES)


@pytest.fixture(scope="module")
def model(library: ModelLibrary) -> LoadedModel:
    return load_model(library, library.checkpoint("small"), None, CPU, torch.float32)


class Joined:
    def __init__(self, library: ModelLibrary, prompt: str, options: LoraOptions | None = None) -> None:
        self.notices: list[str] = []
        request = GenerationRequest(prompt=prompt)
        context = JobContext(request, None, CPU, torch.float32, LibraryModels(library), self.notices.append)
        self.member = Member(context, options)
        self.member.use_networks(extra_networks(prompt)[1])


def changes(model: LoadedModel, joined: Joined) -> dict[str, Tensor]:
    """What a prompt adds to each weight that it changes, by the end of the weight's name."""
    before = state(model)
    patch = joined.member.patch_model(model)
    assert patch is not None
    with patch:
        after = {name: tensor.clone() for name, tensor in state(model).items()}
    assert all(torch.equal(tensor, before[name]) for name, tensor in state(model).items())
    changed = [name for name in after if not torch.equal(after[name], before[name])]
    return {".".join(name.split(".")[-3:-1]): after[name] - before[name] for name in changed}


def state(model: LoadedModel) -> dict[str, Tensor]:
    return {**model.unet.module.state_dict(), **untyped(model.text.encoders[0]).module.state_dict()}


@pytest.mark.parametrize(
    ("layer", "block"),
    [
        (IN1, "IN01"),
        ("diffusion_model_input_blocks_11_0_in_layers_2", "IN11"),
        ("diffusion_model_middle_block_1_proj_in", "M00"),
        ("diffusion_model_output_blocks_0_0_in_layers_2", "OUT00"),
        (TEXT, "BASE"),
        ("transformer_resblocks_0_mlp_c_fc", "BASE"),
        ("diffusion_model_time_embed_0", ""),
        ("diffusion_model_out_2", ""),
    ],
)
def test_the_block_of_a_layer(layer: str, block: str) -> None:
    assert block_of(layer) == block


def test_layers_have_their_name_in_ldm(model: LoadedModel) -> None:
    names = block_names(model)
    layer = untyped(model.unet.module).down_blocks[0].attentions[0].transformer_blocks[0].attn1.to_q
    assert names[id(layer)] == IN1
    assert set(map(block_of, names.values())) <= {*BLOCKS, ""}


@pytest.mark.parametrize("count", [12, 17, 20, 26])
def test_fewer_numbers_leave_the_other_blocks_at_0(count: int) -> None:
    weights = read_block_weights(",".join(str(number + 1) for number in range(count)), "", {}, {})
    given = [weights.ratios.get(block, 0.0) for block in BLOCKS]
    assert [ratio for ratio in given if ratio] == [float(number + 1) for number in range(count)]
    assert weights.ratio(TEXT) == 1.0
    assert weights.ratio("diffusion_model_out_2") == 1.0


def test_elements_stand_before_their_block() -> None:
    weights = read_block_weights("NONE", "ATTNDEEPON", PRESETS, ELEMENTS)
    deep = "diffusion_model_middle_block_1_transformer_blocks_0_"
    assert (weights.ratio(f"{deep}attn1_to_q"), weights.ratio(f"{deep}ff_net_2")) == (1.0, 0.0)
    assert weights.ratio(IN1) == 0.0
    negated = read_block_weights("ALL", "X", PRESETS, element_presets_of("X:NOT BASE:NOT attn:0.5"))
    assert (negated.ratio(IN1), negated.ratio(f"{deep}ff_net_2"), negated.ratio(TEXT)) == (1.0, 0.5, 1.0)


@pytest.mark.parametrize(
    ("weights", "elements", "words"),
    [
        ("FOO", "", "neither a preset nor 12, 17, 20 or 26 numbers"),
        ("1,2,3", "", "neither a preset"),
        (",".join("R" * 17), "", "'R' is not a number"),
        ("ALL", "FOO", "no such preset; there are: ATTNDEEPON"),
    ],
)
def test_what_cannot_be_understood_is_said(library: ModelLibrary, weights: str, elements: str, words: str) -> None:
    with pytest.raises(BlockWeightError, match=words):
        read_block_weights(weights, elements, PRESETS, ELEMENTS)
    told = Joined(library, f"<lora:ink:1:lbw={weights}{f':lbwe={elements}' if elements else ''}>").notices
    assert len(told) == 1
    assert told[0].startswith("<lora:ink> acts with no block weights: ")


def test_ratios_multiply_what_a_network_adds(library: ModelLibrary, model: LoadedModel) -> None:
    whole = changes(model, Joined(library, "<lora:ink:0.5:0.9>"))
    numbers = ",".join(["0.5", "0.25", *["0"] * 15])  # BASE and IN01
    weighted = changes(model, Joined(library, f"<lora:ink:0.5:0.9:lbw={numbers}>"))
    assert weighted.keys() == whole.keys() == {"attn1.to_q", "attn2.to_k", "mlp.fc1"}
    for name, tensor in weighted.items():
        assert torch.allclose(tensor, (0.5 if name == "mlp.fc1" else 0.25) * whole[name], atol=1e-6)


def test_presets_of_the_request_and_the_switch(library: ModelLibrary, model: LoadedModel) -> None:
    own = LoraOptions(presets="MINE:0,2,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0\n# NOT:0")
    doubled = changes(model, Joined(library, "<lora:ink:1:lbw=MINE>", own))
    assert doubled.keys() == {"attn1.to_q", "attn2.to_k"}
    whole = changes(model, Joined(library, "<lora:ink>"))
    assert torch.allclose(doubled["attn1.to_q"], 2 * whole["attn1.to_q"], atol=1e-6)
    off = Joined(library, "<lora:ink:1:lbw=NONE:stop=1>", LoraOptions(active=False))
    assert len(changes(model, off)) == 3
    assert "switched off by the request" in off.notices[0]


def test_a_network_comes_and_goes_in_the_unet_alone(library: ModelLibrary, model: LoadedModel) -> None:
    before = {name: tensor.clone() for name, tensor in state(model).items()}
    joined = Joined(library, "<lora:ink:1:step=2-4>")
    patch = joined.member.patch_model(model)
    assert patch is not None
    assert untyped(patch).key is None  # it may not stay for another job
    [(timed, _)] = joined.member._timed
    with patch:
        seen = []
        for reported in (0, 0, 1, 2, 3, 4):
            timed.at_step(reported, 6)
            now = state(model)
            seen.append([sum(not torch.equal(now[name], before[name]) for name in now)])
        assert seen == [[1], [1], [3], [3], [1], [1]]
    assert all(torch.equal(tensor, before[name]) for name, tensor in state(model).items())
    timed.at_step(2, 6)
    assert all(torch.equal(tensor, before[name]) for name, tensor in state(model).items())


def test_a_window_without_ends_is_always_open() -> None:
    assert all(Window().holds(step, 20) for step in range(20))


def test_the_second_pass_may_have_a_window_of_its_own(library: ModelLibrary, model: LoadedModel) -> None:
    (tag,) = read_tags(extra_networks("<lora:ink:1:stop=2:hrstep=1-3>")[1]).loras
    assert (tag.window, tag.hires_window) == (Window(stop=2), Window(1, 3))
    joined = Joined(library, "<lora:ink:1:hrstop=1>")
    patch = joined.member.patch_model(model)
    assert patch is not None
    before = {name: tensor.clone() for name, tensor in state(model).items()}
    [(timed, _)] = joined.member._timed
    with patch:
        acts = []
        for hires in (False, True):
            timed.at_step(3, 6, hires=hires)
            acts.append(not torch.equal(state(model)[IN1_NOW], before[IN1_NOW]))
        assert acts == [True, False]
    assert "hrstep must be two numbers" in Joined(library, "<lora:ink:1:hrstep=4>").notices[0]


def test_presets_in_files_of_the_user_come_before_the_usual_ones(tmp_path: Path) -> None:
    (tmp_path / "lbwpresets.txt").write_bytes(
        b"\xef\xbb\xbfMINE:" + b",".join([b"0.5"] * 12) + b"\r\nALL:" + b",".join([b"2"] * 17)
    )
    (tmp_path / "elempresets.txt").write_text("DEEP:IN05-OUT05:attn:0.5\n\nX:BASE::0", encoding="utf-8")
    presets = block_presets(LoraOptions(), tmp_path)
    assert (presets["MINE"][:3], presets["ALL"][:1], presets["NONE"][:1]) == ("0.5", "2", "0")
    asked = LoraOptions(presets="ALL:" + ",".join(["3"] * 12))
    assert block_presets(asked, tmp_path)["ALL"][:1] == "3"
    assert {"DEEP", "X", "ATTNDEEPON"} <= element_presets(LoraOptions(), tmp_path).keys()
    assert block_presets(LoraOptions(), tmp_path / "none").keys() == PRESETS.keys()


def low_rank(up: Tensor, down: Tensor, *, name: str, scale: float = 1.0, **more: float) -> Wanted:
    place = Place("unet", "x")
    change = Change(LowRank(up, down), scale)
    strengths = {"text_strength": 1.0, "unet_strength": 1.0, **more}
    return Wanted(Network(name, {place: change}), strengths["text_strength"], strengths["unet_strength"])


def test_the_cosine_of_two_networks_is_that_of_their_whole_changes() -> None:
    torch.manual_seed(1)
    spots = {Place("unet", "x"): Spot(1, "IN04")}
    for rank in (1, 3, 8):
        first = low_rank(torch.randn(10, rank), torch.randn(rank, 6), name="a", scale=0.3)
        second = low_rank(torch.randn(10, 4), torch.randn(4, 6), name="b", scale=2.0, unet_strength=-0.5)
        whole = [
            untyped(one.network.changes[Place("unet", "x")].adapter).delta(torch.zeros(10, 6)).flatten()
            for one in (first, second)
        ]
        expected = -torch.nn.functional.cosine_similarity(whole[0], whole[1], 0).item()
        assert overlaps(first, second, spots)["IN04"] == pytest.approx(expected, abs=1e-5)
    same = low_rank(torch.ones(10, 1), torch.ones(1, 6), name="c")
    assert told_of_overlaps([same, same], spots) == []  # one network named twice
    twin = low_rank(torch.ones(10, 1), torch.ones(1, 6), name="d", unet_strength=-0.2)
    assert told_of_overlaps([same, twin], spots)[0].startswith("c and d pull the same layers against each other")
    assert overlaps(same, low_rank(torch.zeros(10, 1), torch.ones(1, 6), name="e"), spots) == {}


def test_two_networks_that_do_the_same_are_told(library: ModelLibrary, model: LoadedModel) -> None:
    folder = library.models_dir / "Lora"
    (folder / "copy.safetensors").write_bytes((folder / "ink.safetensors").read_bytes())
    library.refresh()
    joined = Joined(library, "<lora:ink:0.5><lora:copy:0.7>")
    assert joined.member.patch_model(model) is not None
    (told,) = joined.notices
    assert told.startswith("ink and copy pull the same layers in the same direction (cosine IN01 1.00")
