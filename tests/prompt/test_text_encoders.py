"""The towers against transformers' own forward and torch's attention, with random weights made here."""

from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor, nn
from transformers.models.clip.configuration_clip import CLIPTextConfig
from transformers.models.clip.modeling_clip import CLIPTextModel

from tests.narrowing import untyped
from webui.domain.errors import BadRequestError, NotFiniteError, UnusableFileError
from webui.library.family import Family
from webui.prompt.ports import Splice, TextStack
from webui.weights.families.stable_diffusion.members import SD1, SD2, SDXL, SDXL_REFINER
from webui.weights.families.stable_diffusion.towers import build_towers
from webui.weights.text_encoders import ClipTower

WIDTH, HEADS, LAYERS, WORDS = 16, 2, 4, 60
SIDECAR = {
    "x_tiny": {"clip_text_config": {"num_attention_heads": HEADS}, "open_clip_text_config": {"heads": HEADS}},
}
END = WORDS - 1


class Tensors:
    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self.tensors = tensors

    def names(self) -> Iterable[str]:
        return self.tensors

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self.tensors[name].shape)

    def read_as(self, name: str, dtype: torch.dtype) -> Tensor:
        return self.tensors[name].to(dtype, copy=True)


def clip_model() -> CLIPTextModel:
    torch.manual_seed(0)
    config = CLIPTextConfig(
        vocab_size=WORDS,
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        eos_token_id=END,
        hidden_act="quick_gelu",
    )
    model: CLIPTextModel = untyped(CLIPTextModel)(config).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model


class OpenClipBlock(nn.Module):
    """A residual block in the open_clip layout, on torch's own attention."""

    def __init__(self) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.attn = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(WIDTH, 4 * WIDTH), "c_proj": nn.Linear(4 * WIDTH, WIDTH)})

    def forward(self, hidden: Tensor) -> Tensor:
        mask = torch.full((hidden.shape[1],) * 2, float("-inf")).triu(1)
        normed = self.ln_1(hidden)
        hidden = hidden + self.attn(normed, normed, normed, attn_mask=mask, need_weights=False)[0]
        wider: Tensor = self.mlp["c_proj"](nn.functional.gelu(self.mlp["c_fc"](self.ln_2(hidden))))
        return hidden + wider


class OpenClip(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.token_embedding = nn.Embedding(WORDS, WIDTH)
        self.positional_embedding = nn.Parameter(torch.empty(77, WIDTH))
        self.transformer = nn.ModuleDict({"resblocks": nn.ModuleList(OpenClipBlock() for _ in range(LAYERS))})
        self.ln_final = nn.LayerNorm(WIDTH)
        self.text_projection = nn.Parameter(torch.empty(WIDTH, WIDTH + 8))
        for parameter in self.parameters():
            nn.init.normal_(parameter, std=0.3)

    def states(self, tokens: Tensor) -> list[Tensor]:
        states = [self.token_embedding(tokens) + self.positional_embedding]
        for block in untyped(self.transformer["resblocks"]):
            states.append(block(states[-1]))
        return states


def texts() -> Tensor:
    tokens = torch.randint(1, END - 1, (2, 77), generator=torch.Generator().manual_seed(2))
    tokens[0, 5:] = END
    tokens[1, 40:] = END
    return tokens


def stack(tensors: dict[str, Tensor], family: Family = SD1) -> TextStack:
    return build_towers(Tensors(tensors), family, SIDECAR, torch.device("cpu"), torch.float32)


def prefixed(module: nn.Module, prefix: str) -> dict[str, Tensor]:
    return {prefix + name: tensor.detach() for name, tensor in module.state_dict().items()}


@pytest.mark.parametrize("prefix", ["cond_stage_model.transformer.text_model.", "cond_stage_model.transformer."])
@torch.no_grad()
def test_clip_is_that_of_transformers(prefix: str) -> None:
    model = clip_model()
    (tower,) = stack(prefixed(model, prefix)).encoders
    wanted = model(texts(), output_hidden_states=True)
    mine = tower.encode(texts(), [[], []], clip_skip=1)
    torch.testing.assert_close(mine.hidden, wanted.last_hidden_state)
    assert mine.pooled is None
    skipped = tower.encode(texts(), [[], []], clip_skip=3)
    torch.testing.assert_close(skipped.hidden, model.final_layer_norm(wanted.hidden_states[-3]))


@torch.no_grad()
def test_open_clip_is_that_of_torch() -> None:
    model = OpenClip()
    states = model.states(texts())
    (sd2,) = stack(prefixed(model, "cond_stage_model.model."), SD2).encoders
    for skip in (0, 3):
        mine = sd2.encode(texts(), [[], []], clip_skip=skip)
        torch.testing.assert_close(mine.hidden, model.ln_final(states[-2]))
    (refiner,) = stack(prefixed(model, "conditioner.embedders.0.model."), SDXL_REFINER).encoders
    mine = refiner.encode(texts(), [[], []], clip_skip=0)
    torch.testing.assert_close(mine.hidden, states[-2])
    ends = model.ln_final(states[-1])[torch.arange(2), torch.tensor([5, 40])]
    assert mine.pooled is not None
    torch.testing.assert_close(mine.pooled, ends @ model.text_projection)


def test_sdxl_takes_the_penultimate_layers_without_norm() -> None:
    model = clip_model()
    tensors = prefixed(model, "conditioner.embedders.0.transformer.text_model.")
    tensors |= prefixed(OpenClip(), "conditioner.embedders.1.model.")
    first, second = stack(tensors, SDXL).encoders
    assert (first.slot, first.pads_with_zero, second.slot, second.pads_with_zero) == ("clip_l", False, "clip_g", True)
    with torch.no_grad():
        wanted = model(texts(), output_hidden_states=True).hidden_states
    torch.testing.assert_close(first.encode(texts(), [[], []], clip_skip=0).hidden, wanted[-2])
    torch.testing.assert_close(first.encode(texts(), [[], []], clip_skip=1).hidden, wanted[-1])


def test_later_tokens_do_not_change_earlier_rows() -> None:
    (tower,) = stack(prefixed(clip_model(), "cond_stage_model.transformer.")).encoders
    changed = texts()
    changed[:, 30:] = 7
    before, after = (tower.encode(tokens, [[], []], clip_skip=1).hidden for tokens in (texts(), changed))
    torch.testing.assert_close(before[:, :30], after[:, :30])
    assert not torch.allclose(before[:, 30:], after[:, 30:])


def test_a_splice_of_a_tokens_own_vector_changes_nothing() -> None:
    (tower,) = stack(prefixed(clip_model(), "cond_stage_model.transformer.")).encoders
    assert isinstance(tower, ClipTower)
    table = tower.module.embeddings.token_embedding.weight
    tokens = texts()
    plain = tower.encode(tokens, [[], []], clip_skip=1).hidden
    same = [[Splice(2, table[tokens[0, 3:6]])], [Splice(74, table[[END, END, 9, 9]])]]  # the second is cut at row 76
    torch.testing.assert_close(tower.encode(tokens, same, clip_skip=1).hidden, plain)
    other = tower.encode(tokens, [[Splice(2, torch.ones(1, WIDTH))], []], clip_skip=1).hidden
    assert torch.equal(other[0, :3], plain[0, :3])
    assert not torch.allclose(other[0, 3], plain[0, 3])
    assert torch.equal(other[1], plain[1])
    assert torch.equal(table, tower.module.embeddings.token_embedding.weight)


def test_clip_skip_beyond_the_first_layer_is_refused() -> None:
    (tower,) = stack(prefixed(clip_model(), "cond_stage_model.transformer.")).encoders
    tower.encode(texts(), [[], []], clip_skip=LAYERS + 1)
    with pytest.raises(BadRequestError, match="clip_skip: this text encoder has 4 layers"):
        tower.encode(texts(), [[], []], clip_skip=LAYERS + 2)


def _drop(tensors: dict[str, Tensor], name: str) -> None:
    del tensors[name]


def _narrow(tensors: dict[str, Tensor], name: str) -> None:
    tensors[name] = tensors[name][:-1]


def _spoil(tensors: dict[str, Tensor], name: str) -> None:
    tensors[name].view(-1)[0] = float("nan")


@pytest.mark.parametrize("harm", [_drop, _narrow, _spoil])
@pytest.mark.parametrize("name", ["embeddings.position_embedding.weight", "encoder.layers.2.mlp.fc2.bias"])
def test_a_damaged_checkpoint_names_the_tensor(harm: Callable[[dict[str, Tensor], str], None], name: str) -> None:
    tensors = prefixed(clip_model(), "cond_stage_model.transformer.text_model.")
    harm(tensors, f"cond_stage_model.transformer.text_model.{name}")
    with pytest.raises((UnusableFileError, NotFiniteError), match=name):
        stack(tensors)


def test_a_file_without_text_encoder_is_refused() -> None:
    with pytest.raises(UnusableFileError, match="token_embedding"):
        stack({"x": torch.zeros(1)}, SD2)
