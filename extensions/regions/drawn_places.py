"""Where the regions of a form lie, for the page that draws them. It needs no torch."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field, JsonValue, ValidationError

from webui.extension_api import Action, ActionContext, ActionResult, Options

from .couple_lines import Tile, lines_of, mapped_tiles, tiles_of
from .options import RegionsOptions
from .region_rules import rules_of
from .separators import Cell, cells_of, cut, has_regions

MAX_PROMPT = 100_000
NAME_LENGTH = 40


class PlacesOptions(Options):
    """A form as it stands."""

    options: dict[str, Any] = Field(default_factory=dict)
    prompt: str = Field("", max_length=MAX_PROMPT)
    width: int = 512
    height: int = 512


def region_places(asked: PlacesOptions, context: ActionContext) -> ActionResult:
    """The rectangles of the regions with their texts, or a sentence where there are none."""
    try:
        options = RegionsOptions.model_validate(asked.options)
    except ValidationError as error:
        return ActionResult(data={"places": [], "say": error.errors(include_input=False, include_url=False)[0]["msg"]})
    say, cells, texts = _found(options, asked.prompt)
    places: list[JsonValue] = [
        {"name": f"{number} {text}"[:NAME_LENGTH], "left": cell.left, "top": cell.top,
         "width": cell.right - cell.left, "height": cell.bottom - cell.top}
        for number, (cell, text) in enumerate(zip(cells, texts, strict=False), 1)
    ]  # fmt: skip
    return ActionResult(data={"places": places, "say": say})


def _found(options: RegionsOptions, prompt: str) -> tuple[str, Sequence[Cell], Sequence[str]]:
    if options.mode == "Lines":
        return _lines(options, prompt)
    if options.mode != "Matrix":
        return "", (), ()
    if not has_regions(prompt):
        return "Write BREAK, ADDCOL or ADDROW between the regions in the prompt.", (), ()
    rules = rules_of(options, is_negative=False)
    parts = cut(prompt, rules)
    return "", cells_of(options.ratios, parts, rules), parts.texts


def _lines(options: RegionsOptions, prompt: str) -> tuple[str, Sequence[Cell], Sequence[str]]:
    texts = list(lines_of(prompt, options.separator, options.brackets, keeps_definitions=options.keeps_definitions))
    if options.lines_mode == "Mask":
        return "", (), ()
    if options.lines_mode == "Advanced":
        return "", [tile.cell for tile in mapped_tiles(options.mapping)], texts
    has_background = options.has_background
    if len(texts) < (3 if has_background else 2):
        return "Write each region in a line of the prompt.", (), ()
    if has_background:
        del texts[0 if options.background == "First Line" else -1]
    tiles: tuple[Tile, ...] = tiles_of(
        len(texts), is_vertical=options.direction == "Rows", has_background=has_background
    )
    return "", [tile.cell for tile in tiles], texts


PLACES = Action("region_places", "Where regions lie", PlacesOptions, region_places, light=True)
