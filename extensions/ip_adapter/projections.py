"""The networks that make tokens of what an image encoder or a face recogniser sees (Ye et al. 2023, arXiv:2308.06721).

Their parameters have the names of the files.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from webui.extension_api.tensors import TensorFile

from .adapter_files import AdapterShape, recognise
from .filling import fill
from .vision_tower import Sight

HEAD_WIDTH = 64  # of the resampler
Shapes = Mapping[str, tuple[int, ...]]


class StandardProjection(nn.Module):
    """Tokens of the picture as a whole: one matrix, cut into tokens."""

    def __init__(self, shapes: Shapes, width: int) -> None:
        super().__init__()
        rows, into = shapes["proj.weight"]
        self.proj, self.norm, self.width = nn.Linear(into, rows), nn.LayerNorm(width), width

    def forward(self, sight: Sight, face: Tensor | None) -> Tensor:
        """(B, n, X)."""
        return self.norm(self.proj(sight.embedding).unflatten(-1, (-1, self.width)))  # type: ignore[no-any-return]


class FullProjection(nn.Module):
    """One token for each of the encoder's."""

    def __init__(self, shapes: Shapes, width: int) -> None:
        super().__init__()
        inner, into = shapes["proj.0.weight"]
        self.proj = nn.Sequential(nn.Linear(into, inner), nn.GELU(), nn.Linear(inner, width), nn.LayerNorm(width))

    def forward(self, sight: Sight, face: Tensor | None) -> Tensor:
        """(B, T, X)."""
        return self.proj(sight.tokens)  # type: ignore[no-any-return]


class _PerceiverAttention(nn.Module):
    """Latents ask the picture and themselves (Alayrac et al. 2022, arXiv:2204.14198)."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.to_q, self.to_kv = nn.Linear(width, inner, bias=False), nn.Linear(width, 2 * inner, bias=False)
        self.to_out = nn.Linear(inner, width, bias=False)
        self.heads = inner // HEAD_WIDTH

    def forward(self, picture: Tensor, latents: Tensor) -> Tensor:
        """(B, T, C), (B, n, C) -> (B, n, C)."""
        picture, latents = self.norm1(picture), self.norm2(latents)
        key, value = self.to_kv(torch.cat([picture, latents], dim=1)).chunk(2, dim=-1)
        query, key, value = (
            one.unflatten(-1, (self.heads, -1)).transpose(1, 2) for one in (self.to_q(latents), key, value)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return self.to_out(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class Resampler(nn.Module):
    """Tokens by asking what the encoder sees."""

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        width, into = shapes["proj_in.weight"]
        self.latents = nn.Parameter(torch.empty(shapes["latents"])) if "latents" in shapes else None
        self.proj_in = nn.Linear(into, width)
        depth = 1 + max(int(key.split(".")[1]) for key in shapes if key.startswith("layers."))
        self.layers = nn.ModuleList(_resampling_layer(shapes, number, width) for number in range(depth))
        out = shapes["proj_out.weight"][0]
        self.proj_out, self.norm_out = nn.Linear(width, out), nn.LayerNorm(out)

    def resample(self, picture: Tensor, latents: Tensor) -> Tensor:
        """(B, T, into), (B, n, C) -> (B, n, X)."""
        picture = self.proj_in(picture)
        for layer in self.layers:
            latents = layer(picture, latents)
        return self.norm_out(self.proj_out(latents))  # type: ignore[no-any-return]

    def forward(self, sight: Sight, face: Tensor | None) -> Tensor:
        """(B, n, X), of the tokens of the encoder, or of a face (InstantID)."""
        if self.latents is None:
            raise ValueError("the resampler of FaceID plus is not asked without a face's tokens")
        picture = sight.tokens if face is None else face[:, None]
        return self.resample(picture, self.latents.expand(len(picture), -1, -1))


class FaceProjection(nn.Module):
    """Tokens of a face; of FaceID plus, with what the encoder sees of it."""

    def __init__(self, shapes: Shapes, width: int, *, shortcut: bool) -> None:
        super().__init__()
        inner, into = shapes["proj.0.weight"]
        self.proj = nn.Sequential(nn.Linear(into, inner), nn.GELU(), nn.Linear(inner, shapes["proj.2.weight"][0]))
        self.norm, self.width, self.shortcut = nn.LayerNorm(width), width, shortcut
        seen = {key.removeprefix("perceiver_resampler."): shape for key, shape in shapes.items() if "resampler." in key}
        self.perceiver_resampler = Resampler(seen) if seen else None
        self.structure = 1.0

    def forward(self, sight: Sight, face: Tensor | None) -> Tensor:
        """(B, n, X)."""
        if face is None:
            raise ValueError("a projection of faces needs a face")
        tokens: Tensor = self.norm(self.proj(face).unflatten(-1, (-1, self.width)))
        if self.perceiver_resampler is None:
            return tokens
        seen = self.perceiver_resampler.resample(sight.tokens, tokens)
        return tokens + self.structure * seen if self.shortcut else seen


class _ResamplingLayer(nn.ModuleList):
    """Attention, then a feed-forward network; its parts have numbers as names in the files."""

    def forward(self, picture: Tensor, latents: Tensor) -> Tensor:
        """(B, T, C), (B, n, C) -> (B, n, C)."""
        latents = latents + self[0](picture, latents)
        return latents + self[1](latents)  # type: ignore[no-any-return]


def _resampling_layer(shapes: Shapes, number: int, width: int) -> _ResamplingLayer:
    inner = shapes[f"layers.{number}.0.to_q.weight"][0]
    wide = shapes[f"layers.{number}.1.1.weight"][0]
    feed = nn.Sequential(
        nn.LayerNorm(width), nn.Linear(width, wide, bias=False), nn.GELU(), nn.Linear(wide, width, bias=False)
    )
    return _ResamplingLayer([_PerceiverAttention(width, inner), feed])


class Adapter(nn.Module):
    """A whole file.

    Attributes:
        project: (what the encoder sees, faces (B, 512) or None) -> tokens (B, n, X).
        keys, values: by the number of the cross attention, from 0 in the order encoder, decoder, middle.
        loras: by (number of the attention layer, the projection's letter), the two factors.
    """

    def __init__(self, shape: AdapterShape, shapes: Shapes) -> None:
        super().__init__()
        self.shape = shape
        plain = {name: shapes[key] for name, key in shape.projection.items()}
        self.project = _projection(shape, plain)
        self.keys, self.values = nn.ModuleList(), nn.ModuleList()
        self.sizes: list[tuple[int, int]] = []  # of each layer: channels of the tokens, and of the layer
        for number in range(len(shape.layers) // 2):
            for letter, found in (("k", self.keys), ("v", self.values)):
                out, into = shapes.get(shape.layers.get(f"{2 * number + 1}.to_{letter}_ip.weight", ""), (0, 0))
                found.append(nn.Linear(into, out, bias=False))
            self.sizes.append((into, out))
        self.loras: dict[tuple[int, str], tuple[Tensor, Tensor]] = {}


def _projection(shape: AdapterShape, shapes: Shapes) -> nn.Module:
    match shape.kind:
        case "standard":
            return StandardProjection(shapes, shape.width)
        case "full":
            return FullProjection(shapes, shape.width)
        case "face" | "face_plus":
            return FaceProjection(shapes, shape.width, shortcut=shape.shortcut)
    return Resampler(shapes)


def build_adapter(source: TensorFile, name: str, device: torch.device, dtype: torch.dtype) -> Adapter:
    """The adapter in a file.

    Args:
        name: of the user's file, where `source` is a converted one.

    Raises:
        UnusableFileError: as `recognise`; also where a tensor is missing or has another shape.
        NotFiniteError: a weight is NaN or infinite.
    """
    shape = recognise(source.header.shapes, name)
    with torch.device("meta"):
        adapter = Adapter(shape, source.header.shapes)

    def read(parameter: str) -> Tensor | None:
        key = _key(parameter, shape)
        return None if key is None else source.read_as(key, dtype)

    fill(adapter, name, read, device)
    for plain, key in shape.loras.items():
        number, letter, which = plain.replace(".to_", ".").replace("_lora", "").split(".")[:3]
        pair = adapter.loras.get((int(number), letter), (torch.empty(0), torch.empty(0)))
        tensor = source.read_as(key, dtype).to(device)
        adapter.loras[int(number), letter] = (tensor, pair[1]) if which == "down" else (pair[0], tensor)
    return adapter.eval().requires_grad_(False)


def _key(parameter: str, shape: AdapterShape) -> str | None:
    """The name in the file of a parameter of `Adapter`."""
    part, _, rest = parameter.partition(".")
    if part == "project":
        return shape.projection.get(rest)
    letter = "k" if part == "keys" else "v"
    return shape.layers.get(f"{2 * int(rest.split('.')[0]) + 1}.to_{letter}_ip.weight")
