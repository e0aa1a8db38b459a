"""The image encoder of CLIP (Radford et al. 2021, arXiv:2103.00020): a vision transformer, its sizes read from a file.

The names of transformers are used; files with those of open_clip and with a prefix are read too.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional

from webui.extension_api import UnusableFileError
from webui.extension_api.tensors import TensorFile

from .filling import fill

EPSILON = 1e-5
# what files of tensors do not say: how many heads there are, by the width
_HEADS: Mapping[int, int] = MappingProxyType({768: 12, 1024: 16, 1280: 16, 1664: 16})
_HEAD_WIDTH = 64  # of encoders of other sizes
_QUICK = (768, 1024)  # widths of those of OpenAI, with x sigmoid(1.702 x)
_EMBEDDING, _POSITIONS = (
    "vision_model.embeddings.patch_embedding.weight",
    "vision_model.embeddings.position_embedding.weight",
)
_PROJECTION = "visual_projection.weight"
_MARKS = (_EMBEDDING, "visual.conv1.weight")
_OPEN_CLIP = (
    ("conv1.weight", "vision_model.embeddings.patch_embedding.weight"),
    ("class_embedding", "vision_model.embeddings.class_embedding"),
    ("positional_embedding", _POSITIONS),
    ("ln_pre.", "vision_model.pre_layrnorm."),
    ("ln_post.", "vision_model.post_layernorm."),
)
_BLOCK = (
    ("ln_1.", "layer_norm1."), ("ln_2.", "layer_norm2."), ("attn.out_proj.", "self_attn.out_proj."),
    ("mlp.c_fc.", "mlp.fc1."), ("mlp.c_proj.", "mlp.fc2."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TowerShape:
    """The sizes of an encoder; `image` is the side of the square that it looks at, in pixels."""

    width: int
    layers: int
    heads: int
    inner: int
    patch: int
    image: int
    projection: int

    @property
    def tokens(self) -> int:
        return (self.image // self.patch) ** 2 + 1


class _Attention(nn.Module):
    def __init__(self, shape: TowerShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(shape.width, shape.width) for _ in range(4))

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        query, key, value = (
            layer(hidden).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer in (self.q_proj, self.k_proj, self.v_proj)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
        return self.out_proj(mixed)  # type: ignore[no-any-return]


class _Mlp(nn.Module):
    def __init__(self, shape: TowerShape) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(shape.width, shape.inner), nn.Linear(shape.inner, shape.width)
        self.quick = shape.width in _QUICK

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        inner = self.fc1(hidden)
        bent = inner * torch.sigmoid(1.702 * inner) if self.quick else functional.gelu(inner)
        return self.fc2(bent)  # type: ignore[no-any-return]


class _Layer(nn.Module):
    def __init__(self, shape: TowerShape) -> None:
        super().__init__()
        self.layer_norm1, self.layer_norm2 = (nn.LayerNorm(shape.width, EPSILON) for _ in range(2))
        self.self_attn, self.mlp = _Attention(shape), _Mlp(shape)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        hidden = hidden + self.self_attn(self.layer_norm1(hidden))
        return hidden + self.mlp(self.layer_norm2(hidden))  # type: ignore[no-any-return]


class _Embeddings(nn.Module):
    def __init__(self, shape: TowerShape) -> None:
        super().__init__()
        self.class_embedding = nn.Parameter(torch.empty(shape.width))
        self.patch_embedding = nn.Conv2d(3, shape.width, shape.patch, stride=shape.patch, bias=False)
        self.position_embedding = nn.Embedding(shape.tokens, shape.width)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, T, C)."""
        patches = self.patch_embedding(pixels).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(pixels), 1, -1)
        return torch.cat([first, patches], dim=1) + self.position_embedding.weight


class _Encoder(nn.Module):
    def __init__(self, shape: TowerShape) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Layer(shape) for _ in range(shape.layers))


class _Vision(nn.Module):
    def __init__(self, shape: TowerShape) -> None:
        super().__init__()
        self.embeddings = _Embeddings(shape)
        self.pre_layrnorm = nn.LayerNorm(shape.width, EPSILON)  # spelt as in the files
        self.encoder = _Encoder(shape)
        self.post_layernorm = nn.LayerNorm(shape.width, EPSILON)


@dataclass(frozen=True, slots=True)
class Sight:
    """What an encoder sees in pictures.

    Attributes:
        embedding: (B, projection) the picture as a whole.
        tokens: (B, T, width) what each part is, from before the last layer.
    """

    embedding: Tensor
    tokens: Tensor


class VisionTower(nn.Module):
    """The encoder."""

    def __init__(self, shape: TowerShape) -> None:
        super().__init__()
        self.shape = shape
        self.vision_model = _Vision(shape)
        self.visual_projection = nn.Linear(shape.width, shape.projection, bias=False)

    @torch.no_grad()
    def forward(self, pixels: Tensor) -> Sight:
        """(B, 3, image, image), normalised -> what it sees."""
        weight = self.visual_projection.weight
        hidden = self.vision_model.pre_layrnorm(self.vision_model.embeddings(pixels.to(weight)))
        tokens = hidden
        for layer in self.vision_model.encoder.layers:
            tokens, hidden = hidden, layer(hidden)
        whole = self.vision_model.post_layernorm(hidden[:, 0])
        return Sight(self.visual_projection(whole), tokens)


def build_tower(source: TensorFile, name: str, heads: int, device: torch.device, dtype: torch.dtype) -> VisionTower:
    """The encoder in a file.

    Args:
        name: of the user's file, where `source` is a converted one.
        heads: of its attention; 0: as its width says.

    Raises:
        UnusableFileError: the file holds no such encoder. NotFiniteError: a weight is NaN or infinite.
    """
    found = dict(_named(source.names()))
    if _EMBEDDING not in found or _POSITIONS not in found or _PROJECTION not in found:
        raise UnusableFileError(f"{name}: no image encoder of CLIP among its tensors (vision_model, visual_projection)")
    shape = _shape({key: _laid_out(key, *part, source) for key, part in found.items()}, heads)
    with torch.device("meta"):
        tower = VisionTower(shape)
    fill(tower, name, lambda key: _read(found, key, source, dtype), device)
    return tower.eval().requires_grad_(False)


def _shape(shapes: Mapping[str, tuple[int, ...]], heads: int) -> TowerShape:
    width, _, patch, _ = shapes[_EMBEDDING]
    side = round((shapes[_POSITIONS][0] - 1) ** 0.5)
    layers = 1 + max(int(found[1]) for key in shapes if (found := re.search(r"encoder\.layers\.(\d+)\.", key)))
    inner = shapes["vision_model.encoder.layers.0.mlp.fc1.weight"][0]
    heads = heads or _HEADS.get(width, max(1, width // _HEAD_WIDTH))
    return TowerShape(width, layers, heads, inner, patch, side * patch, shapes[_PROJECTION][0])


Part = tuple[str, int | None]  # a tensor's name in the file, and which third of it is meant


def _named(names: Iterable[str]) -> Iterator[tuple[str, Part]]:
    """By the names of transformers, where in the file each tensor is."""
    for key in names:
        plain = key.removeprefix("image_encoder.").removeprefix("model.")
        if plain.startswith(("vision_model.", "visual_projection.")):
            yield plain, (key, None)
        elif plain.startswith("visual."):
            yield from _from_open_clip(key, plain.removeprefix("visual."))


def _from_open_clip(key: str, plain: str) -> Iterator[tuple[str, Part]]:
    if plain == "proj":
        yield _PROJECTION, (key, None)
    for theirs, ours in _OPEN_CLIP:
        if plain.startswith(theirs):
            yield ours + plain.removeprefix(theirs), (key, None)
    block = re.match(r"transformer\.resblocks\.(\d+)\.(.+)", plain)
    if block is None:
        return
    at, rest = f"vision_model.encoder.layers.{block[1]}.", block[2]
    for theirs, ours in _BLOCK:
        if rest.startswith(theirs):
            yield at + ours + rest.removeprefix(theirs), (key, None)
    if rest.startswith("attn.in_proj_"):
        for third, part in enumerate("qkv"):
            yield f"{at}self_attn.{part}_proj.{rest.removeprefix('attn.in_proj_')}", (key, third)


def _laid_out(name: str, key: str, third: int | None, source: TensorFile) -> tuple[int, ...]:
    shape = source.shape(key)
    if third is not None:
        return (shape[0] // 3, *shape[1:])
    return shape[::-1] if name == _PROJECTION and not key.endswith("weight") else shape


def _read(found: Mapping[str, Part], name: str, source: TensorFile, dtype: torch.dtype) -> Tensor | None:
    if name not in found:
        return None
    key, third = found[name]
    tensor = source.read_as(key, dtype)
    if third is not None:
        return tensor.chunk(3)[third].clone()
    return tensor.T.contiguous() if name == _PROJECTION and not key.endswith("weight") else tensor
