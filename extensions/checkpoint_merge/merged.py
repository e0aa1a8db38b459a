"""A merged checkpoint that can be read like a file. Its tensors are computed when they are read.

It reads one tensor of each source at a time and computes in pieces, so that memory holds little more than those.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, reduce
from types import MappingProxyType

import torch
from torch import Tensor

from webui.extension_api import NotFiniteError
from webui.extension_api.tensors import TensorFile

from . import formulas, whole_formulas
from .blocks import Blocks, block_weights
from .elements import element_weights, selection
from .methods import COSINE, DIFFERENCES, EXCHANGES, NEEDS_C, WHOLE
from .options import Precision, Recipe
from .rebasin import Aligned, heads_by_attention
from .sources import Source, require_complete

PIECE = 1 << 20  # values computed at once
VAE = "first_stage_model."
FORMATS: Mapping[Precision, torch.dtype | None] = MappingProxyType(
    {"keep": None, "fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}
)

Change = Callable[[Tensor], Tensor]  # the whole tensor in float32 -> with LoRAs, same shape
Formula = Callable[[Sequence[Tensor]], Tensor]  # pieces of A, B and C, or whole tensors -> the merge


class Merged:
    """The tensors of a recipe. It implements the protocol `TensorReader`, from which checkpoints are built.

    Attributes:
        kept: tensors of A that B or C lacks and that stay as they are.
    """

    def __init__(
        self,
        recipe: Recipe,
        sources: Mapping[str, Source],
        *,
        vae: TensorFile | None = None,
        vae_keys: Mapping[str, str] = MappingProxyType({}),
        changes: Mapping[str, Change] = MappingProxyType({}),
        precision: Precision = "keep",
    ) -> None:
        """Args:
        sources: the open checkpoints by role (a, b, c).
        vae, vae_keys: the VAE to bake in, and its names by those of the checkpoint.
        changes: the changes that LoRAs make, by tensor.

        Raises:
            BadRequestError: block weights of the wrong count, or a source that lacks tensors (`recipe.missing`).
        """
        self._recipe = recipe
        self._a = sources["a"].tensors
        merging = () if recipe.method == "copy" else ("b", "c") if recipe.method in NEEDS_C else ("b",)
        heads = heads_by_attention(sources["a"].spec, self._a.names()) if recipe.rebasin else {}
        files = [sources[role].tensors for role in merging]
        self._others: tuple[TensorFile | Aligned, ...] = tuple(
            Aligned(file, self._a, heads) if recipe.rebasin else file for file in files
        )
        if recipe.missing == "refuse":
            for role in merging:
                require_complete(sources["a"], sources[role])
        self._vae, self._vae_keys = vae, vae_keys
        self._changes = changes
        self._format = FORMATS[precision]
        blocks = Blocks.of(self._a.names())
        by_block = block_weights("alpha_blocks", recipe.alpha_blocks, recipe.alpha_base, recipe.alpha, blocks)
        self._alpha = element_weights(recipe.elements, by_block)
        self._is_chosen = selection(recipe.include, recipe.exclude, blocks)
        self._beta = block_weights("beta_blocks", recipe.beta_blocks, recipe.beta_base, recipe.beta, blocks)
        names = list(self._a.names())
        if recipe.only_in_b == "take" and self._others:
            names += [name for name in self._others[0].names() if "model" in name and name not in self._a]
        names += [name for name in vae_keys if name not in self._a]
        self._names = tuple(names)
        self.kept = tuple(
            name for name in self._a.names() if _is_weight(self._a, name) and not self._is_everywhere(name)
        )

    def names(self) -> Iterable[str]:
        return self._names

    def shape(self, name: str) -> tuple[int, ...]:
        source, key = self._copied_from(name)
        return source.shape(key)

    def dtype(self, name: str) -> torch.dtype:
        """The format in which the tensor is read and written."""
        source, key = self._copied_from(name)
        stored = source.dtype(key)
        converts = stored.is_floating_point and ("model" in name or self._recipe.method == "copy")
        if self._format is not None and converts:
            return self._format
        is_as_a = self._recipe.arithmetic == "as_a"
        if is_as_a or not self._merges(name) or self.shape(name) != self._others[0].shape(name):
            return stored
        return reduce(torch.promote_types, (one.dtype(name) for one in self._files(name)))

    def read(self, name: str) -> Tensor:
        """The whole tensor. Raises NotFiniteError as `pieces`."""
        return self.read_as(name, self.dtype(name))

    def read_as(self, name: str, dtype: torch.dtype) -> Tensor:
        """The whole tensor in another format; computed values are rounded once."""
        tensor = torch.empty(self.shape(name), dtype=dtype)
        flat, at = tensor.reshape(-1), 0
        for piece in self._pieces(name, dtype):
            flat[at : at + piece.numel()] = piece.reshape(-1)
            at += piece.numel()
        return tensor

    def pieces(self, name: str) -> Iterator[Tensor]:
        """The tensor in flat pieces, in order, in its format.

        Raises:
            NotFiniteError: a computed value does not fit the format.
            UnusableFileError: a source cannot be read.
        """
        return self._pieces(name, self.dtype(name))

    def _pieces(self, name: str, dtype: torch.dtype) -> Iterator[Tensor]:
        made = self._computed(name)
        change = self._changes.get(name)
        if change is not None:
            whole = torch.cat([piece.reshape(-1).float() for piece in made])
            made = iter([change(whole.reshape(self.shape(name)))])
        is_computed = change is not None or self._merges(name)
        for piece in made:
            cast = piece.to(dtype)
            if is_computed or cast.dtype != piece.dtype:
                _require_finite(name, cast)
            yield cast

    def _computed(self, name: str) -> Iterator[Tensor]:
        """The tensor in pieces before LoRAs, in the format the arithmetic gives."""
        if not self._merges(name):
            source, key = self._copied_from(name)
            yield from in_pieces(source.read(key))
            return
        files = self._files(name)
        values = [file.read(name) for file in files]
        if self._recipe.arithmetic == "as_a" and self._rounds_once:
            values = [value.to(values[0].dtype) for value in values]
        if values[0].shape != values[1].shape:
            yield self._widened(name, values)
            return
        if self._recipe.method in WHOLE:
            yield from in_pieces(self._formula(name, len(files) == 3, values)([self._ready(one) for one in values]))
            return
        flats = [value.reshape(-1) for value in values]
        formula = self._formula(name, len(files) == 3, flats)
        for pieces in zip(*(in_pieces(flat) for flat in flats), strict=True):
            yield formula([self._ready(piece) for piece in pieces])

    def _widened(self, name: str, values: list[Tensor]) -> Tensor:
        """The first convolution of an inpainting or editing A: only its image channels merge with a plain B."""
        a, *rest = values
        width = rest[0].shape[1]
        parts = [self._ready(a[:, :width]), *(self._ready(one[:, :width]) for one in rest)]
        result = a.clone()
        result[:, :width] = self._formula(name, len(values) == 3, parts)(parts).to(a.dtype)
        return result

    def _ready(self, piece: Tensor) -> Tensor:
        return piece.float() if self._rounds_once else piece

    @property
    def _rounds_once(self) -> bool:
        arithmetic = self._recipe.arithmetic
        return arithmetic == "float32" or (arithmetic == "as_a" and self._recipe.method != "add_difference")

    def _formula(self, name: str, has_c: bool, wholes: Sequence[Tensor]) -> Formula:
        alpha, beta, recipe = self._alpha[name], self._beta[name], self._recipe
        match recipe.method:
            case "add_difference":
                add = formulas.add_difference_as_a if recipe.arithmetic == "as_a" else formulas.add_difference
                return lambda at: add(at[0], at[1], at[2] if has_c else None, alpha)
            case "triple_sum":
                return lambda at: formulas.triple_sum(at[0], at[1], at[2], alpha, beta)
            case "sum_twice":
                return lambda at: formulas.sum_twice(at[0], at[1], at[2], alpha, beta)
            case "train_difference":
                return lambda at: formulas.train_difference(at[0], at[1], at[2], alpha)
            case "smooth_add":
                return lambda at: whole_formulas.smooth_add(at[0], at[1], at[2] if has_c else None, alpha)
            case "cosine_a" | "cosine_b":
                among, like_a = self._similarities, recipe.method == "cosine_a"
                return lambda at: whole_formulas.cosine(at[0], at[1], alpha, like_a=like_a, among=among)
            case "tensor" | "tensor2":
                axis = EXCHANGES.index(recipe.method)
                return lambda at: whole_formulas.exchanged(at[0], at[1], alpha, beta, axis)
            case "ties":
                a, b, c = wholes
                cuts = [
                    formulas.trim_threshold(one.to(torch.float32, copy=True).sub_(c), recipe.density) for one in (a, b)
                ]
                return lambda at: formulas.ties(at[0], at[1], at[2], alpha, (cuts[0], cuts[1]))
            case "dare":
                first, second = (formulas.KeepSource(recipe.seed, name, model, recipe.density) for model in "ab")
                return lambda at: formulas.dare(at[0], at[1], at[2], alpha, _like(at[0], first, second), recipe.density)
        return lambda at: formulas.weighted_sum(at[0], at[1], alpha)

    def _merges(self, name: str) -> bool:
        """Whether the tensor is computed: a weight that the other files have too, unless its weight leaves A as it is.

        As in A1111, only names that contain `model` count, so that the noise schedule is never merged.
        """
        if not self._others or name not in self._a or not _is_weight(self._a, name) or name in self._vae_keys:
            return False
        if not self._is_chosen(name) or (self._recipe.method in COSINE and name.startswith(VAE)):
            return False  # the authors of cosine merges found better pictures with A's VAE
        return self._is_everywhere(name) and not self._leaves_a(name)

    def _is_everywhere(self, name: str) -> bool:
        """In differences a C without the tensor is allowed, as in A1111: the difference is 0 then."""
        needed = self._others[:1] if self._recipe.method in DIFFERENCES else self._others
        return all(name in file for file in needed)

    def _leaves_a(self, name: str) -> bool:
        method, alpha = self._recipe.method, self._alpha[name]
        if method in ("triple_sum", "sum_twice"):
            return alpha == 0 and self._beta[name] == 0
        return alpha == 0 and method in ("weighted_sum", "train_difference", *DIFFERENCES)

    @cached_property
    def _similarities(self) -> whole_formulas.Similarities:
        """The range of likeness of A and B over all tensors that merge, for which each is read once."""
        like_a = self._recipe.method == "cosine_a"
        a, b = self._a, self._others[0]
        return whole_formulas.Similarities.of(
            whole_formulas.column_similarity(a.read(name), b.read(name), like_a=like_a)
            for name in a.names()
            if self._merges(name) and a.shape(name) and a.shape(name) == b.shape(name)
        )

    def _files(self, name: str) -> tuple[TensorFile | Aligned, ...]:
        return (self._a, *(file for file in self._others if name in file))

    def _owner(self, name: str) -> TensorFile | Aligned:
        return self._a if name in self._a else self._others[0]

    def _copied_from(self, name: str) -> tuple[TensorFile | Aligned, str]:
        key = self._vae_keys.get(name)
        return (self._vae, key) if key is not None and self._vae is not None else (self._owner(name), name)


def in_pieces(tensor: Tensor) -> Iterator[Tensor]:
    """A tensor flat, in pieces of at most `PIECE` values."""
    flat = tensor.reshape(-1)
    return (flat[start : start + PIECE] for start in range(0, flat.numel(), PIECE))


def _is_weight(tensors: TensorFile, name: str) -> bool:
    return "model" in name and tensors.dtype(name).is_floating_point


def _like(piece: Tensor, first: formulas.KeepSource, second: formulas.KeepSource) -> tuple[Tensor, Tensor]:
    return first(piece.numel()).reshape(piece.shape), second(piece.numel()).reshape(piece.shape)


def _require_finite(name: str, piece: Tensor) -> None:
    if piece.is_floating_point() and piece.numel() and not all(torch.isfinite(one) for one in piece.float().aminmax()):
        raise NotFiniteError(
            f"tensor {name}: the merge gives NaN or values beyond {str(piece.dtype).removeprefix('torch.')}; "
            "choose precision fp32 or bf16, or smaller weights"
        )
