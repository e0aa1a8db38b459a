"""A plot as a file that somebody takes along: one picture, a page with its pictures, a table."""

import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from webui.domain.errors import BadRequestError
from webui.engine.plots import Plot, Plots
from webui.experiments.course import Layout
from webui.experiments.gaps import gap
from webui.experiments.plot_page import ToldCell, as_page, as_table
from webui.imaging.grids import row_count
from webui.imaging.png_rows import PngRows
from webui.imaging.sheet_strips import SheetStrips
from webui.jobs.plot_store import StoredCell

MOST_PIXELS = 4 * 10**9  # of one picture
PICTURES = "pictures"  # folder in the archive
BROKEN = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)  # what Pillow raises on damaged files


def sheet_file(plots: Plots, plot: Plot) -> Path:
    """A PNG of the whole, in a temporary file; no more than a row of its cells is in memory at a time.

    Raises:
        BadRequestError: nothing is there yet, or it would be larger than 4000 megapixels.
    """
    cells = plots.cells(plot)
    files = {cell.at: path for cell in cells if (path := plots.file(cell)) is not None}
    sizes = [size for path in files.values() if (size := _size(path)) is not None]
    if not sizes:
        raise BadRequestError("plot", "no picture of it is there")
    cell = max(width for width, _ in sizes), max(height for _, height in sizes)
    layout, places = _as_grid(plot, cells)
    above, beside, over = layout.headings
    strips = SheetStrips(above, beside, over, cell, layout.legend, layout.margin, layout.background)
    width, height = strips.size
    if width * height > MOST_PIXELS:
        text = f"would have {width} x {height} pixels; the page (HTML) takes a plot of any size"
        raise BadRequestError("plot", text)

    def find(x: int, y: int, z: int) -> Image.Image:
        at = places.get((x, y, z))
        if at is None:
            return Image.new("RGB", cell, layout.background)
        return _picture(files[at], cell) if at in files else gap(cell)

    with tempfile.NamedTemporaryFile(suffix=".png", delete=False) as file:
        try:
            rows = PngRows(file, width, height, {"parameters": _text(cells)})
            for strip in strips.strips(find):
                rows.write(strip)
            rows.close()
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    return Path(file.name)


def page_file(plots: Plots, plot: Plot) -> Path:
    """A zip of `index.html` and the pictures, in a temporary file."""
    cells = plots.cells(plot)
    told = told_cells(plots, cells)
    with tempfile.NamedTemporaryFile(suffix=".zip", delete=False) as file:
        try:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                archive.writestr("index.html", as_page(plot.row.title, plot.layout, told), zipfile.ZIP_DEFLATED)
                for cell, one in zip(cells, told, strict=True):
                    if one.file and (path := plots.file(cell)) is not None:
                        archive.write(path, one.file)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    return Path(file.name)


def table(plots: Plots, plot: Plot) -> str:
    """CSV, a row for each cell."""
    return as_table(plot.layout, told_cells(plots, plots.cells(plot), in_archive=False))


def told_cells(plots: Plots, cells: Sequence[StoredCell], *, in_archive: bool = True) -> list[ToldCell]:
    """The cells with the names of their files; `in_archive`: those in the zip, else those in the outputs folder."""
    told = []
    for cell in cells:
        path, name = plots.file(cell), ""
        if path is not None:
            name = f"{PICTURES}/{'-'.join(map(str, cell.at))}{path.suffix}" if in_archive else path.name
        told.append(ToldCell(cell.at, name, cell.infotext, cell.error))
    return told


def _as_grid(
    plot: Plot, cells: Sequence[StoredCell]
) -> tuple[Layout, Mapping[tuple[int, int, int], tuple[int, int, int]]]:
    """The layout of the picture, and which cell stands at each place of it. What has no layout stands in rows."""
    if plot.is_laid_out:
        return plot.layout, {cell.at: cell.at for cell in cells}
    rows = row_count(len(cells))
    columns = -(-len(cells) // rows)
    headings = (("",) * columns, ("",) * rows, ("",))
    places = {(number % columns, number // columns, 0): cell.at for number, cell in enumerate(cells)}
    return Layout(plot.layout.scales, headings, background=plot.layout.background), places


def _text(cells: Sequence[StoredCell]) -> str:
    return next((cell.infotext for cell in cells if cell.infotext), "")


def _size(path: Path) -> tuple[int, int] | None:
    try:
        with Image.open(path) as opened:
            return opened.size
    except BROKEN:
        return None


def _picture(path: Path, cell: tuple[int, int]) -> Image.Image:
    try:
        with Image.open(path) as opened:
            return opened.convert("RGB")
    except BROKEN:
        return gap(cell)
