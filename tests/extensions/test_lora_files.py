"""Network files as trainers and programs write them: spellings, formats, strengths, and what nobody read is said."""

import json
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from extensions.lora.keys import Place
from extensions.lora.layers import layers_of
from extensions.lora.network import Network, read_network
from extensions.lora.patch import NetworkPatch, Wanted, look
from tests.library.small import small_checkpoint
from tests.narrowing import untyped
from tests.weights.sources import Memory
from webui.domain.errors import UnusableFileError
from webui.library.library import ModelLibrary
from webui.weights.families.registry import FAMILIES
from webui.weights.load import load_model
from webui.weights.model import LoadedModel
from webui.weights.tensors import TensorFile

CPU = torch.device("cpu")
RANK = 4
UNET = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
TEXT = "text_model.encoder.layers.0.mlp.fc1"
KEY = "lora_unet_mid_block_attentions_0_proj_in"
PLACE = Place("unet", "mid_block_attentions_0_proj_in")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(11)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    folder = tmp_path_factory.mktemp("models")
    (folder / "Stable-diffusion").mkdir()
    save_file(small_checkpoint(1), folder / "Stable-diffusion" / "small.safetensors")
    library = ModelLibrary(folder, tmp_path_factory.mktemp("cache"), FAMILIES)
    return load_model(library, library.checkpoint("small"), None, CPU, torch.float32)


def pair(out: int, inner: int) -> dict[str, Tensor]:
    return {"up": torch.randn(out, RANK), "down": torch.randn(RANK, inner), "alpha": torch.tensor(2.0)}


def kohya(parts: Mapping[str, Tensor], module: str) -> dict[str, Tensor]:
    names = {"up": "lora_up.weight", "down": "lora_down.weight", "alpha": "alpha"}
    return {f"{module}.{names[part]}": tensor for part, tensor in parts.items()}


def written(unet: str, text: str, parts: str, *, dots: bool = True) -> dict[str, Tensor]:
    """The reference LoRA under other names; `parts` are those of up, down and alpha, from the layer's name on."""
    torch.manual_seed(5)
    up, down, alpha = parts.split()
    tensors: dict[str, Tensor] = {}
    for prefix, path, (out, inner) in ((unet, UNET, (32, 32)), (text, TEXT, (128, 64))):
        module = f"{prefix}{path if dots or prefix.endswith('.') else path.replace('.', '_')}"
        made = pair(out, inner)
        tensors |= {module + up: made["up"], module + down: made["down"], module + alpha: made["alpha"]}
    return tensors


KOHYA = ".lora_up.weight .lora_down.weight .alpha"
PEFT = ".lora_B.weight .lora_A.weight .alpha"
NAMED = ".lora_B.default.weight .lora_A.default.weight .alpha"
DIFFUSERS = ".lora.up.weight .lora.down.weight .lora.alpha"
LINEAR = ".lora_linear_layer.up.weight .lora_linear_layer.down.weight .alpha"
PROCESSOR = "_lora.up.weight _lora.down.weight _lora.alpha"
SPELLINGS = {
    "kohya": written("lora_unet_", "lora_te_", KOHYA, dots=False),
    "numbered though there is one": written("lora_unet_", "lora_te1_", KOHYA, dots=False),
    "lycoris": written("lycoris_", "lycoris_te_", KOHYA, dots=False),
    "dots after kohya's prefix": written("lora_unet.", "lora_te1.", PEFT),
    "diffusers": written("unet.", "text_encoder.", DIFFUSERS),
    "diffusers, linear layers": written("unet.", "text_encoder.", LINEAR),
    "diffusers, processors": written("unet.", "text_encoder.", PROCESSOR),
    "diffusers with peft": written("unet.", "text_encoder.", PEFT),
    "diffusers, numbered": written("unet.", "text_encoder_1.", PEFT),
    "peft, wrapped": written("base_model.model.unet.", "base_model.model.text_encoder.", PEFT),
    "peft, wrapped inside": written("unet.base_model.model.", "text_encoder.base_model.model.", NAMED),
    "peft alone": written("base_model.model.", "base_model.model.", PEFT),
    "no prefix": written("", "", PEFT),
    "ComfyUI": written("diffusion_model.", "text_encoders.clip_l.transformer.", KOHYA),
    "OneTrainer": written("unet.", "clip_l.", KOHYA),
    "clip_l with its wrapper": written("diffusion_model.", "clip_l.transformer.", PEFT),
    "as in a checkpoint": written("model.diffusion_model.", "cond_stage_model.transformer.", KOHYA),
    "as in an SDXL checkpoint": written("model.diffusion_model.", "conditioner.embedders.0.transformer.", KOHYA),
    "a bare transformer": written("unet.", "transformer.", PEFT),
}


def as_file(tensors: Mapping[str, Tensor], folder: Path, metadata: Mapping[str, str] | None = None) -> Network:
    path = folder / "ink.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, dict(metadata or {}))
    with TensorFile(path) as source:
        return read_network(source, "ink")


def read_memory(tensors: Mapping[str, Tensor], name: str = "x", metadata: Mapping[str, str] | None = None) -> Network:
    return read_network(untyped(Memory(tensors, metadata)), name)


def weights(model: LoadedModel, network: Network) -> dict[str, Tensor]:
    with NetworkPatch(model, [Wanted(network, 1.0, 1.0)], 0):
        state = {**model.unet.module.state_dict(), **untyped(model.text.encoders[0]).module.state_dict()}
        return {name: tensor.clone() for name, tensor in state.items()}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_gives_the_same_numbers(spelling: str, model: LoadedModel, tmp_path: Path) -> None:
    plain = {**model.unet.module.state_dict(), **untyped(model.text.encoders[0]).module.state_dict()}
    wanted = weights(model, as_file(SPELLINGS["kohya"], tmp_path))
    network = as_file(SPELLINGS[spelling], tmp_path)
    made = weights(model, network)
    assert sum(not torch.equal(made[name], plain[name]) for name in made) == 2
    assert all(torch.equal(made[name], wanted[name]) for name in made)
    assert not network.told
    assert not look(network, layers_of(model)).told(network, "sd1")


def test_open_clips_names_are_those_of_the_same_layers(model: LoadedModel) -> None:
    theirs = read_memory(kohya(pair(128, 64), "clip_l.transformer.resblocks.0.mlp.c_fc"))
    assert not look(theirs, layers_of(model)).missing


def half_file(dtype: torch.dtype) -> dict[str, Tensor]:
    torch.manual_seed(5)
    return {name: tensor.to(dtype) for name, tensor in kohya(pair(8, 8), KEY).items()}


def scaled_file(dtype: torch.dtype, scale_name: str, *, rows: bool) -> dict[str, Tensor]:
    """Each matrix divided by a scale, so that it fills the range of the format; the scale beside it."""
    torch.manual_seed(5)
    most = torch.iinfo(dtype).max if dtype == torch.int8 else torch.finfo(dtype).max
    made: dict[str, Tensor] = {}
    for name, tensor in kohya(pair(8, 8), KEY).items():
        if tensor.ndim == 0:
            made[name] = tensor
            continue
        scale = (tensor.abs().amax(dim=1, keepdim=True) if rows else tensor.abs().max()) / most
        divided = tensor / scale
        made[name] = divided.round().to(dtype) if dtype == torch.int8 else divided.to(dtype)
        made[scale_name.format(name=name, layer=name.removesuffix(".weight"))] = scale
    return made


FORMATS: dict[str, tuple[Callable[[], dict[str, Tensor]], float]] = {
    "F64": (lambda: half_file(torch.float64), 1e-6),
    "F32": (lambda: half_file(torch.float32), 1e-6),
    "F16": (lambda: half_file(torch.float16), 0.01),
    "BF16": (lambda: half_file(torch.bfloat16), 0.06),
    "F8_E4M3": (lambda: half_file(torch.float8_e4m3fn), 0.5),
    "F8_E5M2": (lambda: half_file(torch.float8_e5m2), 1.0),
    "F8_E4M3 and a scale": (lambda: scaled_file(torch.float8_e4m3fn, "{layer}.scale_weight", rows=False), 0.5),
    "F8_E5M2 and a scale": (lambda: scaled_file(torch.float8_e5m2, "{layer}.weight_scale", rows=False), 1.0),
    "F8_E4M3 and a scale for each row": (lambda: scaled_file(torch.float8_e4m3fn, "{name}_scale", rows=True), 0.5),
    "I8 and a scale": (lambda: scaled_file(torch.int8, "{layer}.scale_weight", rows=False), 0.2),
    "I8 and a scale for each row": (lambda: scaled_file(torch.int8, "{name}.scale", rows=True), 0.2),
}


@pytest.mark.parametrize("stored", FORMATS)
def test_every_storage_format_gives_the_numbers_that_it_can_hold(stored: str, tmp_path: Path) -> None:
    torch.manual_seed(5)
    parts = pair(8, 8)
    wanted = 0.5 * parts["up"] @ parts["down"]
    make, tolerance = FORMATS[stored]
    network = as_file(make() | {"scaled_fp8": torch.zeros(0)}, tmp_path)
    changed = network.changes[PLACE].weight(torch.zeros(8, 8), 1.0)
    assert changed.dtype == torch.float32
    assert float((changed - wanted).abs().max()) < tolerance
    assert not network.told


def test_float8_is_read_exactly() -> None:
    tensors = half_file(torch.float8_e4m3fn)
    wanted = 0.5 * tensors[f"{KEY}.lora_up.weight"].float() @ tensors[f"{KEY}.lora_down.weight"].float()
    changed = read_memory(tensors).changes[PLACE].weight(torch.zeros(8, 8), 1.0)
    assert torch.allclose(changed, wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tensor: (10 * tensor).to(torch.int8), "int8 without a scale"),
        (lambda tensor: tensor.abs().to(torch.uint8), "uint8 without a scale"),
        (lambda tensor: tensor.to(torch.complex64), "C64"),
        (lambda tensor: tensor.abs().to(torch.uint16), "U16"),
    ],
)
def test_a_format_that_is_no_weight_is_refused(change: Callable[[Tensor], Tensor], words: str, tmp_path: Path) -> None:
    tensors = {name: change(tensor) if tensor.ndim else tensor for name, tensor in half_file(torch.float32).items()}
    with pytest.raises(UnusableFileError, match=words):
        as_file(tensors, tmp_path)


def scale_of(metadata: Mapping[str, str], alpha: float | None = None, kernel: int = 1) -> float:
    parts = {
        f"{KEY}.lora_up.weight": torch.ones(8, RANK, 1, 1),
        f"{KEY}.lora_down.weight": torch.ones(RANK, 8, kernel, kernel),
    }
    if alpha is not None:
        parts[f"{KEY}.alpha"] = torch.tensor(alpha)
    return read_memory(parts, metadata=metadata).changes[PLACE].scale


PLAIN, STABLE = 3 / RANK, 3 / math.sqrt(RANK)
DIFFUSERS_FACTS = {"unet.r": RANK, "unet.lora_alpha": 3, "text_encoder.lora_alpha": 99}


@pytest.mark.parametrize(
    ("metadata", "alpha", "scale"),
    [
        ({}, None, 1.0),
        ({}, 3.0, PLAIN),
        ({"ss_network_alpha": "3", "ss_network_dim": str(RANK)}, None, PLAIN),
        ({"ss_network_alpha": "3.0"}, None, PLAIN),
        ({"ss_network_alpha": "None"}, None, 1.0),
        ({"ss_network_alpha": "0"}, None, 1.0),
        ({"ss_network_alpha": "9"}, 3.0, PLAIN),  # the layer's own counts
        ({"lora_alpha": "3", "r": str(RANK)}, None, PLAIN),
        ({"lora_alpha": "3", "use_rslora": "true"}, None, STABLE),
        ({"lora_adapter_metadata": json.dumps(DIFFUSERS_FACTS)}, None, PLAIN),
        ({"lora_adapter_metadata": json.dumps({**DIFFUSERS_FACTS, "unet.use_rslora": True})}, None, STABLE),
        ({"lora_adapter_config": json.dumps({"unet": {"lora_alpha": 3, "use_rslora": True}})}, None, STABLE),
        ({"lora_adapter_config": json.dumps({"lora_alpha": 3, "use_rslora": False})}, None, PLAIN),
        ({"lora_adapter_config": json.dumps({"lora_alpha": 8, "alpha_pattern": {"proj_in": 3}})}, None, PLAIN),
        ({"ss_network_alpha": "3", "ss_network_args": json.dumps({"rs_lora": "True"})}, None, STABLE),
        ({"ss_network_alpha": "3", "ss_network_args": json.dumps({"rs_lora": "True"})}, 3.0, STABLE),
        # LyCORIS writes alpha x rank / sqrt(rank) into the tensor, so that a division by the rank is right.
        ({"ss_network_alpha": "3", "ss_network_args": json.dumps({"rs_lora": "True"})}, 6.0, STABLE),
    ],
)
def test_the_scale_is_alpha_by_the_rank_or_its_root(
    metadata: dict[str, str], alpha: float | None, scale: float
) -> None:
    assert scale_of(metadata, alpha) == pytest.approx(scale)


def test_convolutions_have_an_alpha_of_their_own() -> None:
    metadata = {"ss_network_alpha": "3", "ss_network_args": json.dumps({"conv_dim": "4", "conv_alpha": "1"})}
    assert scale_of(metadata) == pytest.approx(PLAIN)
    assert scale_of(metadata, kernel=3) == pytest.approx(1 / RANK)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"ss_network_alpha": "much"}, "ss_network_alpha = 'much', expected a number"),
        ({"lora_adapter_config": "{"}, "lora_adapter_config in its header is damaged"),
        ({"lora_adapter_config": json.dumps({"init_lora_weights": "pissa_niter_4"})}, "changed by pissa"),
    ],
)
def test_a_header_that_hides_the_strength_is_refused(metadata: dict[str, str], words: str) -> None:
    with pytest.raises(UnusableFileError, match=words):
        scale_of(metadata)


@pytest.mark.parametrize("shape", [(12, 8), (8, 8), (12, 8, 3, 3)])
@pytest.mark.parametrize("alpha", [None, 2.0])
def test_the_newer_layout_of_glora(shape: tuple[int, ...], alpha: float | None) -> None:
    """(W a1) a2 + b1 b2, times alpha / rank, summed over input channels one by one."""
    out, inner = shape[:2]
    a1, a2, b1 = torch.randn(inner, RANK), torch.randn(RANK, inner), torch.randn(out, RANK)
    b2 = torch.randn(RANK, inner, *shape[2:])
    tensors = {f"{KEY}.{name}.weight": part for name, part in (("a1", a1), ("a2", a2), ("b1", b1), ("b2", b2))}
    if alpha:
        tensors[f"{KEY}.alpha"] = torch.tensor(alpha)
    weight = torch.randn(shape)
    mixing = a1 @ a2
    delta = (b1 @ b2.flatten(1)).reshape(shape)
    for column in range(inner):
        delta[:, column] += sum(weight[:, row] * mixing[row, column] for row in range(inner))
    changed = read_memory(tensors).changes[PLACE].weight(weight, 0.7)
    assert torch.allclose(changed, weight + 0.7 * (alpha / RANK if alpha else 1) * delta, atol=1e-4)


def test_the_older_layout_of_glora_on_a_square_weight() -> None:
    a1, a2, b1, b2 = torch.randn(RANK, 8), torch.randn(8, RANK), torch.randn(RANK, 8), torch.randn(8, RANK)
    tensors = {f"{KEY}.{name}.weight": part for name, part in (("a1", a1), ("a2", a2), ("b1", b1), ("b2", b2))}
    weight = torch.randn(8, 8)
    changed = read_memory(tensors).changes[PLACE].weight(weight, 1.0)
    assert torch.allclose(changed, weight + b2 @ b1 + weight @ a2 @ a1, atol=1e-5)


def test_lycoris_scalar_is_a_factor() -> None:
    tensors = kohya(pair(8, 8), KEY)
    plain = read_memory(tensors).changes[PLACE]
    halved = read_memory({**tensors, f"{KEY}.scalar": torch.tensor(0.5)}).changes[PLACE]
    assert halved.scale == pytest.approx(plain.scale / 2)


def test_what_nobody_read_is_said() -> None:
    tensors = kohya(pair(8, 8), KEY)
    strange = {f"{KEY}.bogus": torch.ones(1), "lora_unet_x.alpha": torch.ones(()), f"{KEY}.diff": torch.ones(8, 8)}
    [told] = read_memory({**tensors, **strange, "up.weight": torch.ones(2)}, "ink").told
    shown = f"{KEY}.bogus, lora_unet_x.alpha, {KEY}.diff and 1 more"
    assert told == f"ink: 4 tensors were not understood and left out ({shown})"


def test_a_layer_written_twice_counts_once_and_is_said() -> None:
    first, again = kohya(pair(8, 8), KEY), kohya(pair(8, 8), "unet.mid_block.attentions.0.proj_in")
    both = read_memory({**first, **again}, "ink")
    weight = torch.zeros(8, 8)
    alone = read_memory(first, "ink").changes[PLACE].weight(weight, 1.0)
    assert torch.equal(both.changes[PLACE].weight(weight, 1.0), alone)
    assert both.told[0].startswith("ink: 3 tensors were not understood")


def test_layers_that_a_model_lacks_are_said(model: LoadedModel) -> None:
    tensors = written("lora_unet_", "lora_te_", KOHYA, dots=False)
    tensors |= kohya(pair(8, 8), "lora_te_text_model_encoder_layers_40_mlp_fc1")
    network = read_memory(tensors, "ink")
    assert look(network, layers_of(model)).told(network, "sd1") == [
        "ink: 1 layer (te1 text_model_encoder_layers_40_mlp_fc1) is not in this model and left out"
    ]


def test_a_network_for_two_text_encoders_is_for_another_model(model: LoadedModel) -> None:
    tensors = written("lora_unet_", "lora_te1_", KOHYA, dots=False)
    tensors |= kohya(pair(8, 8), "lora_te2_text_model_encoder_layers_0_mlp_fc1")
    network = read_memory(tensors, "ink")
    assert "another kind of model" in look(network, layers_of(model)).told(network, "sd1")[0]


def test_a_broken_embedding_inside_does_not_cost_the_network() -> None:
    strange = {"bundle_emb.face.one": torch.ones(2, 8), "bundle_emb.face.two": torch.ones(2, 8)}
    network = read_memory({**kohya(pair(8, 8), KEY), **strange}, "ink")
    assert set(network.changes) == {PLACE}
    assert not network.embeddings
    assert "the embedding was left out" in network.told[0]


PARTS = (
    "lora_up.weight", "lora_down.weight", "lora_mid.weight", "alpha", "scale", "dora_scale", "bias", "diff", "diff_b",
    "w_norm", "b_norm", "hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2", "lokr_w1",
    "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2", "a1.weight", "a2.weight", "b1.weight",
    "b2.weight", "bm.weight", "oft_blocks", "oft_diag", "rescale", "weight", "on_input",
)  # fmt: skip
SHAPES = st.one_of(
    st.sampled_from([(8, 4), (4, 8), (4, 4), (8, 8), (8, 4, 1, 1), (4, 8, 2, 2), (4, 4, 2, 2), (8,), (1,), ()]),
    st.lists(st.sampled_from([0, 1, 2, 4, 8]), max_size=5).map(tuple),
)
KINDS = (
    PARTS[:7], ("diff", "diff_b", "w_norm", "b_norm", "alpha"), (*PARTS[11:17], "alpha"), (*PARTS[17:24], "alpha"),
    (*PARTS[24:29], "alpha"), ("oft_blocks", "alpha", "rescale"), ("oft_diag", "rescale"), ("weight", "on_input"),
)  # fmt: skip


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(KINDS).flatmap(lambda names: st.fixed_dictionaries(dict.fromkeys(names, SHAPES))))
def test_no_shapes_bring_anything_but_a_refusal_or_a_change(parts: dict[str, tuple[int, ...]]) -> None:
    tensors = {f"{KEY}.{name}": torch.ones(shape) for name, shape in parts.items()}
    with suppress(UnusableFileError):
        change = read_memory(tensors).changes.get(PLACE)
        for shape in ((8, 8), (8, 4), (4, 8, 1, 1), (8, 4, 2, 2), (8, 9, 2, 2), (8,)):
            if change is not None and change.fits(torch.Size(shape)):
                assert change.weight(torch.ones(shape), 1.0, 2).shape == shape
