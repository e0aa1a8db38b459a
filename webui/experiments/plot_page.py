"""A plot as a page of HTML that works from a folder, without a server and without scripts; and as a table (CSV)."""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from webui.experiments.course import Layout, Place

STYLE = """
body{font:14px/1.5 system-ui,sans-serif;margin:24px;color:#1c1d20;background:#fff}
table{border-collapse:collapse;margin:0 0 32px}
th{font-weight:600;padding:6px 10px;text-align:left;vertical-align:middle}
td{padding:3px;vertical-align:top}img{display:block;max-width:384px;max-height:384px}
td div{width:160px;padding:12px;background:#f3e7e5;color:#7a1f12}td div.empty{background:#f0f0ee;color:#55565a}
@media(prefers-color-scheme:dark){body{color:#e8e9ec;background:#15171b}td div{background:#3a1f1b;color:#f3b8ad}
td div.empty{background:#22252b;color:#a9adb5}}
"""
NOT_MADE = "not made"


@dataclass(frozen=True, slots=True)
class ToldCell:
    """A cell for those who read of it elsewhere.

    Attributes:
        file: the name of its picture's file; "" where there is none.
        error: why there is none although it was tried.
    """

    at: Place
    file: str = ""
    infotext: str = ""
    error: str = ""


def as_page(title: str, layout: Layout, cells: Iterable[ToldCell]) -> str:
    """The document. Files of pictures are named relative to it."""
    by_place = {cell.at: cell for cell in cells}
    x, y, z = layout.scales
    parts = [
        "<!doctype html>", '<html lang="en"><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>", f"<h1>{escape(title)}</h1>",
    ]  # fmt: skip
    for iz, deep in enumerate(z.values):
        if z.label:
            parts.append(f"<h2>{escape(f'{z.label}: {deep}')}</h2>")
        parts.append("<table><thead><tr><th></th>")
        parts += [f'<th scope="col">{escape(_named(x.label, value))}</th>' for value in x.values]
        parts.append("</tr></thead><tbody>")
        for iy, beside in enumerate(y.values):
            parts.append(f'<tr><th scope="row">{escape(_named(y.label, beside))}</th>')
            parts += [_cell(by_place.get((ix, iy, iz)), layout, (ix, iy, iz)) for ix in range(len(x.values))]
            parts.append("</tr>")
        parts.append("</tbody></table>")
    return "\n".join(parts) + "</html>\n"


def as_table(layout: Layout, cells: Iterable[ToldCell]) -> str:
    """The cells row by row: a column for each axis that is used, then file, parameters and error."""
    used = [index for index, scale in enumerate(layout.scales) if scale.label]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*(layout.scales[index].label for index in used), "file", "parameters", "error"])
    for cell in cells:
        values = [layout.scales[index].values[cell.at[index]] for index in used]
        writer.writerow([*map(_plain, values), cell.file, _plain(cell.infotext), _plain(cell.error)])
    return out.getvalue()


def _plain(text: str) -> str:
    """A text that no table program takes for a formula."""
    return f"'{text}" if text.startswith(("=", "@", "\t", "\r")) else text


def _named(label: str, value: str) -> str:
    return f"{label}: {value}" if label else value


def _cell(cell: ToldCell | None, layout: Layout, at: Place) -> str:
    names: Sequence[str] = [
        _named(scale.label, scale.values[index]) for scale, index in zip(layout.scales, at, strict=True) if scale.label
    ]
    if cell is None or not cell.file:
        error = cell.error if cell is not None else ""
        return f"<td><div>{escape(error)}</div></td>" if error else f'<td><div class="empty">{NOT_MADE}</div></td>'
    file, text = escape(cell.file, quote=True), escape(cell.infotext, quote=True)
    alt = escape(", ".join(names), quote=True)
    return f'<td><a href="{file}"><img src="{file}" alt="{alt}" title="{text}" loading="lazy"></a></td>'
