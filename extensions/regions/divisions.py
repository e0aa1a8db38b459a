"""What a prompt comes to with the options of a request: the texts of its regions, and where they lie."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from webui.extension_api import BadRequestError

from .couple_lines import LEAST_BACKGROUND, Tile, lines_of, mapped_tiles, tiles_of
from .coverage import Coverage, Matrix, Painted, Weighted, coloured_regions
from .options import COMMENTS, RegionsOptions
from .region_rules import rules_of, runs_apart
from .separators import Cell, Parts, Rules, base_shares, cells_of, cut, has_regions, without_words

WHOLE = Cell(0.0, 0.0, 1.0, 1.0)
_COMMENT = re.compile(r"#[^\n]*")


@dataclass(frozen=True, slots=True)
class Division:
    """A prompt in regions.

    Attributes:
        texts: of the base, where there is one, and of the regions.
        negatives: as many; one where the negative prompt is not divided.
        coverage: where they count; None where that is only known once words show (mode `Prompt`).
        bases: the share of the base in each region; None without a base.
    """

    texts: tuple[str, ...]
    negatives: tuple[str, ...]
    coverage: Coverage | None
    bases: tuple[float, ...] | None


def divided(prompt: str, negative: str, options: RegionsOptions) -> Division | None:
    """A prompt in its regions; None where it has none.

    Raises:
        BadRequestError: lines and rectangles or masks differ in number, or some part of the picture is in no region.
    """
    if options.mode == "Lines":
        return _in_lines(prompt, negative, options)
    if COMMENTS in options.options:
        prompt = _COMMENT.sub("", prompt)
    if not has_regions(prompt):
        return None
    rules = rules_of(options, is_negative=False)
    parts = cut(prompt, rules)
    if options.mode == "Prompt" and parts.base is None:
        return None
    texts = parts.texts
    bases = base_shares(options.base_ratios, len(texts)) if parts.base is not None else None
    whole = texts if parts.base is None else (parts.base, *texts)
    return Division(
        whole, _negatives(negative, len(texts), bases, options), _placed(parts, options, rules, bases), bases
    )


def _placed(parts: Parts, options: RegionsOptions, rules: Rules, bases: tuple[float, ...] | None) -> Coverage | None:
    if options.mode == "Prompt":
        return None
    if options.mode == "Matrix":
        return Matrix(cells_of(options.ratios, parts, rules), bases)
    if options.mask is None:
        raise BadRequestError("extensions.regions.mask", "regions by colours need a mask; paint or load one")
    return Painted(coloured_regions(options.mask.open(), len(parts.texts)), bases)


def _negatives(
    negative: str, regions: int, bases: tuple[float, ...] | None, options: RegionsOptions
) -> tuple[str, ...]:
    """The negative texts of base and regions; one where the negative prompt has no words between regions, or where each
    region has a run of its own.

    Where there are fewer, the last one counts for the rest; where there are as many as regions, the base has the first.
    """
    if not has_regions(negative) or runs_apart(options):
        return (without_words(negative),)
    parts = cut(negative, rules_of(options, is_negative=True))
    texts = parts.texts
    if bases is None:
        return _exactly(texts, regions)
    return (texts[0] if parts.base is None else parts.base, *_exactly(texts, regions))


def _exactly(texts: Sequence[str], regions: int) -> tuple[str, ...]:
    return tuple(texts[min(number, len(texts) - 1)] for number in range(regions))


def _in_lines(prompt: str, negative: str, options: RegionsOptions) -> Division | None:
    texts = lines_of(prompt, options.separator, options.brackets, keeps_definitions=options.keeps_definitions)
    has_background = options.has_background and options.lines_mode != "Advanced"
    if len(texts) < (3 if has_background else 2) and options.lines_mode == "Basic":
        return None
    count = len(texts) - has_background
    tiles = list(_tiles(count, options, has_background=has_background))
    if has_background:
        background = Tile(WHOLE, max(LEAST_BACKGROUND, options.background_weight))
        tiles.insert(0 if options.background == "First Line" else count, background)
    return Division(texts, (negative,), Weighted(tuple(tiles)), None)


def _tiles(count: int, options: RegionsOptions, *, has_background: bool) -> Sequence[Tile | tuple[Tensor, float]]:
    if options.lines_mode == "Basic":
        return tiles_of(count, is_vertical=options.direction == "Rows", has_background=has_background)
    if options.lines_mode == "Advanced":
        found = mapped_tiles(options.mapping)
        _same_number("mapping", "rectangles", len(found), count)
        return found
    masks = [one for one in options.masks if one.mask is not None]
    _same_number("masks", "masks", len(masks), count)
    return [(_mask(one.mask.open()), one.weight) for one in masks if one.mask is not None]


def _same_number(field: str, what: str, there: int, wanted: int) -> None:
    if there != wanted:
        raise BadRequestError(
            f"extensions.regions.{field}",
            f"there are {there} {what} for {wanted} lines of the prompt; give one for each",
        )


def _mask(picture: Image.Image) -> Tensor:
    """(H, W) in 0..1."""
    return torch.from_numpy(np.asarray(picture.convert("L"), dtype=np.float32) / 255)
