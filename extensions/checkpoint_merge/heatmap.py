"""The heat map of two checkpoints as a picture, and the action that makes it."""

from collections.abc import Callable

import torch
from PIL import Image, ImageDraw, ImageFont
from pydantic import JsonValue

from webui.extension_api import ActionContext, ActionResult, Cancelled

from .distance import KINDS, Distances, distances
from .options import CompareOptions
from .sources import opened

_CELL = (112, 20)  # pixels
_LEFT, _TOP, _MARGIN = 64, 62, 12
_COLD, _WARM, _HOT = (247, 247, 242), (244, 165, 60), (150, 20, 40)
_EMPTY, _INK, _PAPER = (222, 222, 222), (24, 24, 24), (255, 255, 255)


@torch.inference_mode()
def compare(options: CompareOptions, context: ActionContext) -> ActionResult:
    """Draw where two checkpoints differ, before they are merged.

    Raises:
        WebuiError: they do not belong together; names both.
        Cancelled: stopped by the user.
    """

    def before(done: int, total: int, name: str) -> None:
        if context.stopped():
            raise Cancelled("the comparison was stopped")
        context.progress(done, total, f"comparing {name}")

    with opened(context.models, a=options.a, b=options.b) as sources:
        a, b = sources["a"], sources["b"]
        table = distances(a, b, before)
        title = f"{b.name} beside {a.name}"
    picture = draw(table, title)
    text = f"{title}: up to {table.largest:.3g} of a block's own size."
    if table.lacking:
        text += f" In only one of the two: {len(table.lacking)} of the tensors."
    data: dict[str, JsonValue] = {
        row: {kind: _json(table.cells.get((row, kind))) for kind in KINDS} for row in table.rows
    }
    return ActionResult(text=text, images=(picture,), data=data)


def draw(table: Distances, title: str) -> Image.Image:
    """The table as a picture: a row for each block, a column for each kind of layer, darker where more differs."""
    width = _LEFT + len(KINDS) * _CELL[0] + _MARGIN
    picture = Image.new("RGB", (width, _TOP + len(table.rows) * _CELL[1] + _MARGIN), _PAPER)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(13)
    pen.text((_MARGIN, 10), _fitting(title, width - 2 * _MARGIN, font), _INK, font)
    for column, kind in enumerate(KINDS):
        pen.text((_LEFT + column * _CELL[0] + 6, _TOP - 22), kind, _INK, font)
    for line, row in enumerate(table.rows):
        top = _TOP + line * _CELL[1]
        pen.text((_MARGIN, top + 2), row, _INK, font)
        for column, kind in enumerate(KINDS):
            left = _LEFT + column * _CELL[0]
            value = table.cells.get((row, kind))
            fill, text = (_EMPTY, "") if value is None else (_colour(value, table.largest), f"{value:.4f}")
            pen.rectangle((left, top, left + _CELL[0] - 2, top + _CELL[1] - 2), fill)
            pen.text((left + 6, top + 2), text, _INK if sum(fill) > 330 else _PAPER, font)
    return picture


def _colour(value: float, largest: float) -> tuple[int, int, int]:
    """From cold over warm to hot by the share of the largest value."""
    share = min(1.0, value / largest) if largest else 0.0
    start, end, at = (_COLD, _WARM, share * 2) if share < 0.5 else (_WARM, _HOT, share * 2 - 1)
    red, green, blue = (round(low + (high - low) * at) for low, high in zip(start, end, strict=True))
    return (red, green, blue)


def _fitting(text: str, width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The text, cut at its end where it is wider than `width` pixels."""
    measure: Callable[[str], float] = font.getlength
    if measure(text) <= width:
        return text
    while text and measure(f"{text}…") > width:
        text = text[:-1]
    return f"{text}…"


def _json(value: float | None) -> float | None:
    """JSON knows no infinity."""
    return None if value is None or value == float("inf") else value
