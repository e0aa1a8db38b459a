"""A plot is made while workers and servers are killed, and then every cell and the sheet are looked at."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.crash.plot_server import CELLS
from tests.crash.quick_back import SIDE, shown
from tests.crash.trial import Trial, Victim
from webui.jobs.plot_store import PlotStore


def faults(folder: Path, moments: Iterable[tuple[float, Victim]]) -> tuple[list[str], Counter[str]]:
    """What is wrong with the plot in the end, and how often each victim was really killed.

    Args:
        moments: when to kill whom, as shares of the pictures that are there.
    """
    trial = Trial(folder, 1, module="tests.crash.plot_server", pictures=CELLS)
    trial.kill_at(moments)
    store = PlotStore(folder / "plots.sqlite3")
    (plot,) = store.plots()
    cells, sheets = store.cells(plot.id), store.sheets(plot.id)
    store.close()
    found = []
    if (plot.state, plot.done, len(cells), len(sheets)) != ("done", CELLS, CELLS, 1):
        found.append(f"it is {plot.state}, {plot.done} of {len(cells)} cells are there, and {len(sheets)} sheets")
    known = Counter([*(cell.path for cell in cells), *(sheet.path for sheet in sheets)])
    found += [f"{path} belongs to none, or to two" for path in map(str, trial.files) if known[path] != 1]
    sheet = np.asarray(Image.open(sheets[0].path))
    for cell in cells:
        x, y, _ = cell.at
        expected = np.asarray(shown(x + 1))
        if (np.asarray(Image.open(cell.path)) != expected).any():
            found.append(f"cell {cell.at} is another picture")
        if (sheet[y * SIDE : (y + 1) * SIDE, x * SIDE : (x + 1) * SIDE] != expected).any():
            found.append(f"cell {cell.at} is another one on the sheet")
    return found, trial.kills
