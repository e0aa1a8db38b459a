"""Builds CLIP's text encoders (its text "towers") from the tensors of a checkpoint. Texts become tokens in
`webui/prompt`; which towers a checkpoint has is decided by its family.

Layouts read: Hugging Face CLIP as Stable Diffusion 1 stores it, and open_clip
(https://github.com/mlfoundations/open_clip) as Stable Diffusion 2 and SDXL store it. Both end up in transformers'
CLIPTextModel, with the same names inside.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn
from transformers.models.clip.configuration_clip import CLIPTextConfig
from transformers.models.clip.modeling_clip import CLIPTextModel

from webui.domain.errors import BadRequestError, NotFiniteError, UnusableFileError
from webui.prompt.ports import Encoded, Splice, TextEncoder
from webui.weights.build import is_finite
from webui.weights.estimates import tower_activations
from webui.weights.recovery import Rung
from webui.weights.resident import Resident
from webui.weights.unfilled import unfilled

HEAD_WIDTH = 64  # every CLIP text tower in use has it; test models with another one say so in their sidecar


class TensorReader(Protocol):
    """Tensors of a file by name. `weights.tensors.TensorFile` is one."""

    def names(self) -> Iterable[str]: ...
    def shape(self, name: str) -> tuple[int, ...]: ...
    def read_as(self, name: str, dtype: torch.dtype) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class Layers:
    """The hidden state that a tower outputs.

    Attributes:
        index: into the hidden states: 0 is the embeddings, -1 the last block, -2 the last but one.
        normed: whether the final layer norm follows.
        skips: whether clip skip N selects hidden state -N instead.
    """

    index: int
    normed: bool
    skips: bool


class ClipTower(TextEncoder):
    """One CLIP text transformer (Radford et al. 2021, arXiv:2103.00020) on its device; implements TextEncoder.

    Attributes:
        module: transformers' CLIPTextModel; patches such as LoRA find its layers by name here.
        projection: text projection for the pooled vector; None where no pooled vector is wanted.
        resident: both as what may leave the device.
    """

    def __init__(
        self,
        module: CLIPTextModel,
        projection: nn.Linear | None,
        layers: Layers,
        *,
        pads_with_zero: bool,
        slot: Literal["clip_l", "clip_g"],
    ) -> None:
        self.module = module
        self.projection = projection
        self.layers = layers
        self.pads_with_zero = pads_with_zero
        self.slot = slot
        self.width = int(module.config.hidden_size)
        self.resident = Resident("text encoder", module, projection)

    @torch.no_grad()
    def encode(self, tokens: Tensor, splices: Sequence[Sequence[Splice]], *, clip_skip: int) -> Encoded:
        """Encode texts.

        Args:
            tokens: (B, W) int64 ids, W being the window, BOS first.
            splices: for each text the vectors that replace rows of its token embeddings.
            clip_skip: N >= 1 takes hidden state -N where this tower honours it; 0 takes the tower's own.

        Returns:
            hidden (B, W, D) float32; pooled (B, D_p) float32 from the row of the largest id (the first EOS), or None.

        Raises:
            BadRequestError: `clip_skip` beyond the first block.
            MemoryShortError: not even a single text has room.
        """
        return self.resident.run(
            lambda: self._in_parts(tokens, splices, clip_skip),
            work=f"encoding {len(tokens)} texts",
            lower="lower the batch size, or start with --vram low",
            activations=tower_activations(tokens.shape, self.width, self.module.final_layer_norm.weight.dtype),
            rungs=(Rung("texts were encoded one by one", lambda: self._divide(len(tokens))),),
        )

    def traced(self, tokens: Tensor, splices: Sequence[Sequence[Splice]], *, clip_skip: int) -> Encoded:
        """As `encode`, for training: with gradients where weights or spliced vectors ask for them, and at once."""
        return self._encode(tokens, splices, clip_skip=clip_skip)

    def _divide(self, rows: int) -> bool:
        if rows < 2 or self.resident.parts > 1:
            return False
        self.resident.parts = rows
        return True

    def _in_parts(self, tokens: Tensor, splices: Sequence[Sequence[Splice]], clip_skip: int) -> Encoded:
        if self.resident.parts == 1:
            return self._encode(tokens, splices, clip_skip=clip_skip)
        made = [self._encode(row[None], [own], clip_skip=clip_skip) for row, own in zip(tokens, splices, strict=True)]
        pooled = [one.pooled for one in made if one.pooled is not None]
        return Encoded(torch.cat([one.hidden for one in made]), torch.cat(pooled) if pooled else None)

    def _encode(self, tokens: Tensor, splices: Sequence[Sequence[Splice]], *, clip_skip: int) -> Encoded:
        module = self.module
        index = -clip_skip if clip_skip > 0 and self.layers.skips else self.layers.index
        count = len(module.encoder.layers) + 1
        if not -count <= index < count:
            raise BadRequestError("clip_skip", f"this text encoder has {count - 1} layers; choose 1 to {count}")
        tokens = tokens.to(self.resident.device or module.embeddings.token_embedding.weight.device)
        hidden = _splice(module.embeddings.token_embedding(tokens), splices)
        hidden = hidden + module.embeddings.position_embedding.weight[: tokens.shape[1]]
        mask = _causal_mask(hidden)
        states = [hidden]
        wanted = index % count
        for layer in module.encoder.layers:
            if self.projection is None and len(states) > wanted:
                break  # the output of later layers is not needed
            states.append(layer(states[-1], attention_mask=mask))
        chosen = states[wanted]
        if self.layers.normed:
            chosen = module.final_layer_norm(chosen)
        pooled = None
        if self.projection is not None:
            ends = states[-1][torch.arange(len(tokens), device=tokens.device), tokens.argmax(dim=-1)]
            pooled = self.projection(module.final_layer_norm(ends)).float()
        return Encoded(chosen.float(), pooled)


def _splice(embeddings: Tensor, splices: Sequence[Sequence[Splice]]) -> Tensor:
    """Token embeddings (B, W, D) with rows replaced: each splice from row offset + 1 on, cut at the last row."""
    embeddings = embeddings.clone()
    for row, edits in enumerate(splices):
        for edit in edits:
            start = edit.offset + 1
            vectors = edit.vectors[: max(0, embeddings.shape[1] - start)]
            embeddings[row, start : start + len(vectors)] = vectors.to(embeddings)
    return embeddings


def _causal_mask(hidden: Tensor) -> Tensor:
    """(1, 1, T, T), added to attention scores: each token sees itself and those before it."""
    size = hidden.shape[1]
    mask = torch.full((size, size), torch.finfo(hidden.dtype).min, dtype=hidden.dtype, device=hidden.device)
    return mask.triu(1)[None, None]


def found(tree: object, *keys: str | int) -> Any:
    """The value at a path of mapping keys and list indices, or None."""
    for key in keys:
        if isinstance(key, str) and isinstance(tree, Mapping):
            tree = tree.get(key)
        elif isinstance(key, int) and isinstance(tree, list) and key < len(tree):
            tree = tree[key]
        else:
            return None
    return tree


class TowerBuilder:
    """Builds the towers of one checkpoint.

    Args:
        sidecar: the checkpoint's parsed yaml, {} if none. Read from it, under `x_tiny`: head counts and activation of
            towers whose heads are not 64 wide.
        window: how many tokens a tower reads at once.

    Its methods raise UnusableFileError where a tensor is missing or has another shape than its neighbours imply, and
    NotFiniteError where a weight is NaN or infinite.
    """

    def __init__(
        self,
        source: TensorReader,
        sidecar: Mapping[str, Any],
        device: torch.device,
        dtype: torch.dtype,
        *,
        window: int,
    ) -> None:
        self.source = source
        self.names = frozenset(source.names())
        self.sidecar = sidecar
        self.window = window
        self.device = device
        self.dtype = dtype
        self._stacked: tuple[str, Tensor] | None = None  # the last tensor of q, k and v, needed three times

    def clip(self, prefix: str, layers: Layers) -> ClipTower:
        """A tower in the Hugging Face layout, with or without `text_model.` in its names."""
        if f"{prefix}text_model.final_layer_norm.weight" in self.names:
            prefix += "text_model."
        facts = found(self.sidecar, "x_tiny", "clip_text_config")
        config = self._config(
            {
                "tokens": f"{prefix}embeddings.token_embedding.weight",
                "positions": f"{prefix}embeddings.position_embedding.weight",
                "inner": f"{prefix}encoder.layers.0.mlp.fc1.weight",
            },
            layers=self._count(re.escape(prefix) + r"encoder\.layers\.(\d+)\."),
            heads=found(facts, "num_attention_heads"),
            activation=found(facts, "hidden_act") or "quick_gelu",
        )
        module = self._module(config, lambda name: self._read(prefix + name))
        return ClipTower(module, None, layers, pads_with_zero=False, slot="clip_l")

    def open_clip(self, prefix: str, layers: Layers, *, pooled: bool) -> ClipTower:
        """A tower in the open_clip layout."""
        config = self._config(
            {
                "tokens": f"{prefix}token_embedding.weight",
                "positions": f"{prefix}positional_embedding",
                "inner": f"{prefix}transformer.resblocks.0.mlp.c_fc.weight",
            },
            layers=self._count(re.escape(prefix) + r"transformer\.resblocks\.(\d+)\."),
            heads=found(self.sidecar, "x_tiny", "open_clip_text_config", "heads"),
            activation="gelu",
        )
        module = self._module(config, lambda name: self._read_open_clip(prefix, name))
        projection = None
        if pooled:
            weight = self._read(f"{prefix}text_projection")  # (D, D_p): the transpose of a Linear's
            projection = nn.Linear(weight.shape[0], weight.shape[1], bias=False, device="meta")
            projection.weight = nn.Parameter(weight.T.contiguous(), requires_grad=False)
        return ClipTower(module, projection, layers, pads_with_zero=True, slot="clip_g")

    def _count(self, pattern: str) -> int:
        found = {int(match.group(1)) for name in self.names if (match := re.match(pattern, name)) is not None}
        return max(found, default=-1) + 1

    def _shape(self, name: str, dimensions: int) -> tuple[int, ...]:
        if name not in self.names:
            raise _missing(name)
        shape = tuple(self.source.shape(name))
        if len(shape) != dimensions:
            raise UnusableFileError(f"text encoder: {name} has shape {shape}, expected {dimensions} dimensions")
        return shape

    def _read(self, name: str) -> Tensor:
        if name not in self.names:
            raise _missing(name)
        tensor = self.source.read_as(name, self.dtype).to(self.device)
        if not is_finite(tensor):
            raise NotFiniteError(f"text encoder: {name} has values that are not finite in {self.dtype}")
        return tensor

    def _read_open_clip(self, prefix: str, name: str) -> Tensor:
        """The tensor that a CLIPTextModel calls `name`, from its open_clip place; q, k, v are stacked in one there."""
        stacked = re.fullmatch(r"encoder\.layers\.(\d+)\.self_attn\.([qkv])_proj\.(weight|bias)", name)
        if stacked is not None:
            layer, which, kind = stacked.groups()
            source = f"{prefix}transformer.resblocks.{layer}.attn.in_proj_{kind}"
            if self._stacked is None or self._stacked[0] != source:
                self._stacked = (source, self._read(source))
            return self._stacked[1].chunk(3)["qkv".index(which)].clone()
        for pattern, place in _OPEN_CLIP_PLACES:
            if re.fullmatch(pattern, name):
                return self._read(prefix + re.sub(pattern, place, name))
        raise UnusableFileError(f"text encoder: open_clip has no place for {name}")

    def _config(self, names: Mapping[str, str], *, layers: int, heads: int | None, activation: str) -> CLIPTextConfig:
        vocabulary, width = self._shape(names["tokens"], 2)
        positions, _ = self._shape(names["positions"], 2)
        inner, _ = self._shape(names["inner"], 2)
        heads = heads or max(1, width // HEAD_WIDTH)
        if positions != self.window or width % heads:
            raise UnusableFileError(
                f"text encoder: {names['positions']} has {positions} positions (expected {self.window}), "
                f"width {width} for {heads} heads; not a CLIP text encoder this program knows"
            )
        return CLIPTextConfig(
            vocab_size=vocabulary,
            hidden_size=width,
            intermediate_size=inner,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            max_position_embeddings=positions,
            hidden_act=activation,
        )

    def _module(self, config: CLIPTextConfig, read: "_Read") -> CLIPTextModel:
        with unfilled():
            module = CLIPTextModel(config)
        state: dict[str, Tensor] = {}
        for name, wanted in module.state_dict().items():
            state[name] = read(name)
            if state[name].shape != wanted.shape:
                raise UnusableFileError(
                    f"text encoder: {name} has shape {tuple(state[name].shape)}, expected {tuple(wanted.shape)}"
                )
        module.load_state_dict(state, strict=True, assign=True)
        # The positions are not in the file, so they are still on the meta device.
        module.embeddings.register_buffer("position_ids", torch.arange(self.window, device=self.device)[None], False)
        module.train(False)
        module.requires_grad_(False)
        return module


def _missing(name: str) -> UnusableFileError:
    return UnusableFileError(f"text encoder: the tensor {name} is missing; the file is incomplete or not a checkpoint")


class _Read(Protocol):
    def __call__(self, name: str, /) -> Tensor: ...


_OPEN_CLIP_PLACES = (
    (r"embeddings\.token_embedding\.weight", r"token_embedding.weight"),
    (r"embeddings\.position_embedding\.weight", r"positional_embedding"),
    (r"final_layer_norm\.(\w+)", r"ln_final.\1"),
    (r"encoder\.layers\.(\d+)\.layer_norm([12])\.(\w+)", r"transformer.resblocks.\1.ln_\2.\3"),
    (r"encoder\.layers\.(\d+)\.self_attn\.out_proj\.(\w+)", r"transformer.resblocks.\1.attn.out_proj.\2"),
    (r"encoder\.layers\.(\d+)\.mlp\.fc1\.(\w+)", r"transformer.resblocks.\1.mlp.c_fc.\2"),
    (r"encoder\.layers\.(\d+)\.mlp\.fc2\.(\w+)", r"transformer.resblocks.\1.mlp.c_proj.\2"),
)
