"""IP-Adapter's networks: equal to diffusers' and transformers' on small ones of every kind, and what is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from extensions.ip_adapter.adapter_files import recognise
from extensions.ip_adapter.added_attention import AddedAttention
from extensions.ip_adapter.face_lora import applied, ordered
from extensions.ip_adapter.options import AdapterUnit
from extensions.ip_adapter.picture_tokens import PictureTokens
from extensions.ip_adapter.projections import Adapter, FaceProjection, build_adapter
from extensions.ip_adapter.vision_tower import Sight, build_tower
from tests.extensions.adapter_models import FACE, HIDDEN, KINDS, PROJECTED, TOKENS, encoder, loras, saved, tensors_of
from tests.library.small import CONTEXT, small_checkpoint
from tests.narrowing import untyped
from tests.weights.test_build import call, door
from webui.domain.errors import UnusableFileError
from webui.sampling.attending import Attend, Attention, TakePart
from webui.sampling.steps import ModelCall, Row
from webui.weights.tensors import TensorFile
from webui.weights.unet import UnetWrapper

pytestmark = pytest.mark.usefixtures("pickles_here")
CPU = torch.device("cpu")
NAMES = {"face_plus": "ip-adapter-faceid-plusv2_sd15"}  # says that the face counts beside what is seen of it
ROWS = (Row(0, True, 0), Row(0, False, 0))


@pytest.fixture(scope="module")
def unet() -> UnetWrapper:
    return door(small_checkpoint(5))


def widths_of(unet: UnetWrapper) -> list[int]:
    crossing = [layer for layer in ordered(unet.layers) if layer.kind == "cross"]
    return [layer.width for layer in crossing]


def read(path: Path) -> Adapter:
    with TensorFile(path) as source:
        return build_adapter(source, path.name, CPU, torch.float32)


def adapter_of(kind: str, unet: UnetWrapper, folder: Path) -> tuple[Adapter, dict[str, dict[str, Tensor]]]:
    parts = tensors_of(kind, widths_of(unet), CONTEXT)
    return read(saved(folder / f"{NAMES.get(kind, kind)}.safetensors", parts)), parts


def seen() -> tuple[Sight, Tensor]:
    """What an encoder might see in two pictures, and their faces."""
    draw = torch.Generator().manual_seed(9)
    sight = Sight(torch.randn(2, PROJECTED, generator=draw), torch.randn(2, TOKENS, HIDDEN, generator=draw))
    return sight, torch.randn(2, FACE, generator=draw)


def taking(added: AddedAttention, asked: ModelCall) -> ModelCall:
    def part(attention: Attention, attend: Attend) -> Tensor:
        return attend(attention) + added.added(attention, asked)

    parts: dict[str, TakePart] = dict.fromkeys(added.names, part)
    return replace(asked, taking_part=parts)


def unit(**fields: Any) -> AdapterUnit:
    return AdapterUnit(model="a", **fields)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_diffusers(kind: str, tmp_path: Path) -> None:
    """Tokens, and the output of a whole UNet with them; the second row stands for the negative prompt."""
    ours = door(small_checkpoint(5))
    adapter, parts = adapter_of(kind, ours, tmp_path)
    sight, faces = seen()
    reads_face = adapter.shape.reads_face
    tokens: Tensor = adapter.project(sight, faces if reads_face else None).detach()
    asked = replace(call(), rows=ROWS)
    added = AddedAttention(unit(weight=0.7), adapter, PictureTokens(tokens[:1], tokens[1:]), ours.layers, None, 8)
    mine = ours(taking(added, asked), None)

    theirs = untyped(door(small_checkpoint(5)).module)
    theirs._load_ip_adapter_weights([parts], low_cpu_mem_usage=False)
    for processor in theirs.attn_processors.values():
        if hasattr(processor, "scale"):
            processor.scale = [0.7]
    [layer] = theirs.encoder_hid_proj.image_projection_layers
    given = faces[:, None] if kind in ("face", "portrait", "face_plus") else sight.tokens[:, None]
    given = sight.embedding[:, None] if kind == "standard" else faces[:, None, None] if kind == "instant" else given
    if kind == "face_plus":
        layer.clip_embeds, layer.shortcut = sight.tokens[:, None], True
    with torch.no_grad():
        expected = theirs(
            asked.sample, asked.timestep, asked.context, added_cond_kwargs={"image_embeds": [given]}
        ).sample
        shape = tokens.shape
        torch.testing.assert_close(tokens, layer(given[:, 0]).reshape(shape), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(mine, expected, atol=1e-4, rtol=1e-4)
    assert (mine - ours(asked, None)).abs().max() > 1e-2


@pytest.mark.parametrize("names", ["transformers", "open_clip"])
def test_the_image_encoder_is_that_of_transformers(names: str, tmp_path: Path) -> None:
    from transformers.models.clip.configuration_clip import CLIPVisionConfig
    from transformers.models.clip.modeling_clip import CLIPVisionModelWithProjection

    state = encoder()
    config = CLIPVisionConfig(
        hidden_size=HIDDEN, intermediate_size=96, projection_dim=PROJECTED, num_hidden_layers=2,
        num_attention_heads=1, image_size=56, patch_size=14, hidden_act="gelu",
    )  # fmt: skip
    theirs = untyped(CLIPVisionModelWithProjection)(config)
    theirs.load_state_dict(state, strict=False)
    save_file(state if names == "transformers" else in_open_clip(state), tmp_path / "a.safetensors")
    with TensorFile(tmp_path / "a.safetensors") as source:
        ours = build_tower(source, "a", 0, CPU, torch.float32)
    assert (ours.shape.image, ours.shape.tokens, ours.shape.heads) == (56, TOKENS, 1)
    pixels = torch.randn(2, 3, 56, 56, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = theirs.eval()(pixels, output_hidden_states=True)
    sight = ours(pixels)
    torch.testing.assert_close(sight.embedding, expected.image_embeds, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(sight.tokens, expected.hidden_states[-2], atol=1e-5, rtol=1e-4)


def in_open_clip(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same under the names of open_clip, with the three projections of attention in one."""
    vision = {name.removeprefix("vision_model."): value for name, value in state.items()}
    found = {
        "conv1.weight": vision["embeddings.patch_embedding.weight"],
        "class_embedding": vision["embeddings.class_embedding"],
        "positional_embedding": vision["embeddings.position_embedding.weight"],
        "proj": state["visual_projection.weight"].T.contiguous(),
    }
    for kind in ("weight", "bias"):
        found |= {f"ln_pre.{kind}": vision[f"pre_layrnorm.{kind}"], f"ln_post.{kind}": vision[f"post_layernorm.{kind}"]}
        for number in range(2):
            here, there = f"encoder.layers.{number}.", f"transformer.resblocks.{number}."
            found[f"{there}attn.in_proj_{kind}"] = torch.cat(
                [vision[f"{here}self_attn.{one}_proj.{kind}"] for one in "qkv"]
            )
            for theirs, ours in (
                ("attn.out_proj", "self_attn.out_proj"), ("ln_1", "layer_norm1"), ("ln_2", "layer_norm2"),
                ("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2"),
            ):  # fmt: skip
                found[f"{there}{theirs}.{kind}"] = vision[f"{here}{ours}.{kind}"]
    return {f"visual.{name}": value for name, value in found.items()}


def test_the_lora_of_a_face_is_a_change_of_the_weights(tmp_path: Path) -> None:
    unet = door(small_checkpoint(5))
    parts = tensors_of("face", widths_of(unet), CONTEXT)
    layers = ordered(unet.layers)
    low = loras([(layer.width, layer.context_width) for layer in layers])
    parts["ip_adapter"] |= low
    adapter = read(saved(tmp_path / "ip-adapter-faceid_sd15.safetensors", parts))
    model: Any = type("Model", (), {"unet": unet, "file": None})()
    plain = unet(call(), None)
    with applied(model, [(adapter.loras, 0.6, "a")]):
        changed = unet(call(), None)
    assert torch.equal(unet(call(), None), plain)
    merged = door(small_checkpoint(5))
    with torch.no_grad():
        for number, layer in enumerate(layers):
            attention: Any = merged.module.get_submodule(layer.name)
            for letter in ("q", "k", "v", "out"):
                weight = (attention.to_out[0] if letter == "out" else getattr(attention, f"to_{letter}")).weight
                down, up = (low[f"{number}.to_{letter}_lora.{one}.weight"] for one in ("down", "up"))
                weight += 0.6 * up @ down
    torch.testing.assert_close(changed, merged(call(), None), atol=1e-4, rtol=1e-4)
    with applied(model, [(adapter.loras, 0.0, "a")]):
        assert torch.equal(unet(call(), None), plain)


class TestLaws:
    """What holds of every adapter, on a small UNet."""

    @pytest.fixture
    def tokens(self) -> PictureTokens:
        draw = torch.Generator().manual_seed(2)
        return PictureTokens(torch.randn(1, 4, CONTEXT, generator=draw), torch.randn(1, 4, CONTEXT, generator=draw))

    @pytest.fixture
    def adapter(self, unet: UnetWrapper, tmp_path: Path) -> Adapter:
        return adapter_of("standard", unet, tmp_path)[0]

    def test_weight_nothing_is_nothing(self, unet: UnetWrapper, adapter: Adapter, tokens: PictureTokens) -> None:
        assert not AddedAttention(unit(weight=0), adapter, tokens, unet.layers, None, 8).names
        listed = unit(layer_weights="0")
        names = AddedAttention(listed, adapter, tokens, unet.layers, None, 8).names
        assert len(names) == sum(layer.kind == "cross" for layer in unet.layers.values()) - 1

    def test_a_batch_is_its_images_one_by_one(self, unet: UnetWrapper, adapter: Adapter, tokens: PictureTokens) -> None:
        asked = replace(call(), rows=ROWS)
        added = AddedAttention(unit(), adapter, tokens, unet.layers, None, 8)
        both = unet(taking(added, asked), None)
        for row in (0, 1):
            one = ModelCall(
                asked.step, asked.sample[row : row + 1], asked.timestep[:1], asked.context[row : row + 1],
                asked.positive[row : row + 1], rows=ROWS[row : row + 1],
            )  # fmt: skip
            torch.testing.assert_close(unet(taking(added, one), None), both[row : row + 1], atol=1e-5, rtol=1e-4)

    def test_it_acts_where_its_region_is_white(
        self, unet: UnetWrapper, adapter: Adapter, tokens: PictureTokens
    ) -> None:
        """A whole region is none, no region is nothing, and half of one changes that half of an attention alone."""
        asked = replace(call(), rows=ROWS)
        region = torch.ones(1, 1, 64, 64)
        plain = unet(asked, None)
        everywhere = unet(taking(AddedAttention(unit(), adapter, tokens, unet.layers, None, 8), asked), None)
        white = unet(taking(AddedAttention(unit(), adapter, tokens, unet.layers, region, 8), asked), None)
        black = unet(taking(AddedAttention(unit(), adapter, tokens, unet.layers, 0 * region, 8), asked), None)
        assert torch.equal(white, everywhere)
        assert torch.equal(black, plain)
        region[..., 32:] = 0
        half = AddedAttention(unit(), adapter, tokens, unet.layers, region, 8)
        shares: list[Tensor] = []

        def part(attention: Attention, attend: Attend) -> Tensor:
            shares.append(half.added(attention, asked).abs().sum(dim=2).reshape(2, *attention.size))
            return attend(attention)

        unet(replace(asked, taking_part=dict.fromkeys(half.names, part)), None)
        assert all((one[..., -1] == 0).all() and (one[..., 0] > 0).all() for one in shares)

    def test_windows_see_their_part_of_a_region(
        self, unet: UnetWrapper, adapter: Adapter, tokens: PictureTokens
    ) -> None:
        from webui.sampling.steps import Window

        region = torch.zeros(1, 1, 64, 128)
        region[..., 64:] = 1
        added = AddedAttention(unit(), adapter, tokens, unet.layers, region, 8)
        wide = replace(call(8, 16), rows=ROWS)
        parts = wide.within([Window(0, 0, 8, 8), Window(0, 8, 8, 8)])
        cut = unet(taking(added, parts), None)
        right = AddedAttention(unit(), adapter, tokens, unet.layers, None, 8)
        torch.testing.assert_close(cut[:2], unet(parts, None)[:2], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(cut[2:], unet(taking(right, parts), None)[2:], atol=1e-5, rtol=1e-4)

    @pytest.mark.parametrize("scaling", ["V only", "K+V", "K+V w/ C penalty", "K+mean(V) w/ C penalty"])
    def test_at_full_scale_all_scalings_are_one(
        self, scaling: Any, unet: UnetWrapper, adapter: Adapter, tokens: PictureTokens
    ) -> None:
        """The penalty of a layer with 32 channels is 1280 / 32."""
        asked = replace(call(), rows=ROWS)
        weight = 3.0 if "penalty" in scaling else 1.0
        mine = AddedAttention(unit(weight=weight, embeds_scaling=scaling), adapter, tokens, unet.layers, None, 8)
        plain = AddedAttention(unit(), adapter, tokens, unet.layers, None, 8)
        same = torch.allclose(unet(taking(mine, asked), None), unet(taking(plain, asked), None), atol=1e-5)
        assert same == ("penalty" not in scaling)

    def test_another_family_is_refused(self, unet: UnetWrapper, tokens: PictureTokens, tmp_path: Path) -> None:
        other = read(saved(tmp_path / "a.safetensors", tensors_of("standard", [32] * 3, 56)))
        with pytest.raises(UnusableFileError, match=r"3 layers for a text of 56 channels, .* another family"):
            AddedAttention(unit(), other, tokens, unet.layers, None, 8)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ({"image_proj.mapping_0.0.weight": (4, 4), "ip_adapter.1.to_k_ip.weight": (4, 4)}, "PuLID"),
        ({"conv_in.weight": (4, 4)}, "no IP-Adapter among its tensors"),
        ({"image_proj.other.weight": (4, 4), "ip_adapter.1.to_k_ip.weight": (4, 4)}, "a kind that is not known"),
    ],
)
def test_what_is_no_adapter_is_told(names: dict[str, tuple[int, ...]], told: str) -> None:
    with pytest.raises(UnusableFileError, match=f"a.safetensors: .*{told}"):
        recognise(names, "a.safetensors")


def test_the_second_version_of_a_file_is_told_by_its_name(unet: UnetWrapper, tmp_path: Path) -> None:
    parts = tensors_of("face_plus", widths_of(unet), CONTEXT)
    sight, faces = seen()
    first, second = (
        read(saved(tmp_path / f"ip-adapter-faceid-{name}.safetensors", parts)) for name in ("plus", "plusv2")
    )
    assert isinstance(second.project, FaceProjection)
    second.project.structure = 0.0
    face = read(saved(tmp_path / "face.safetensors", {**parts, "image_proj": _face_alone(parts["image_proj"])}))
    assert torch.equal(second.project(sight, faces), face.project(sight, faces))
    assert not torch.allclose(first.project(sight, faces), face.project(sight, faces))


def _face_alone(projection: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in projection.items() if not name.startswith("perceiver")}


def test_what_the_miniatures_stage_writes_is_read(tmp_path: Path) -> None:
    """The files of the stage `pictures`, untrained: encoder and adapter fit each other and the miniature."""
    from tools.train_mini.networks import new_text_encoder, new_unet
    from tools.train_mini.pictures import TOKENS, adapter_file, crossing
    from tools.train_mini.pictures import Adapter as Trained
    from tools.train_mini.plain_shapes import SIDE
    from tools.train_mini.unet import Painter
    from tools.train_mini.vision import Seeing, tower_file

    painter = Painter(new_text_encoder(), new_unet())
    weights = {name: value.detach().contiguous() for name, value in Trained(crossing(painter)).named_parameters()}
    save_file(tower_file(Seeing().tower.state_dict()), tmp_path / "tower.safetensors")
    save_file(adapter_file(weights), tmp_path / "adapter.safetensors")
    with TensorFile(tmp_path / "tower.safetensors") as source:
        tower = build_tower(source, "tower", 0, CPU, torch.float32)
    adapter = read(tmp_path / "adapter.safetensors")
    assert tower.shape.image == SIDE
    assert (adapter.shape.sees, adapter.shape.tokens) == (tower.shape.projection, TOKENS)
    assert adapter.sizes == [(64, 96)] * 7
    tokens = adapter.project(tower(torch.zeros(1, 3, SIDE, SIDE)), None)
    assert tokens.shape == (1, TOKENS, 64)
