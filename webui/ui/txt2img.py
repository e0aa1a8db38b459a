"""What the buttons of the dock do, but for Generate. Their layout is in `create/dock.py`."""

from webui.ui.create.dock import Dock
from webui.ui.events import bind, bind_stop
from webui.ui.generate import Results, Runner


def connect(dock: Dock, results: Results, runner: Runner) -> None:
    """Connect the buttons of the dock and the gallery to their handlers."""
    bind_stop(dock.interrupt, runner.interrupt, results.job, results.status, "Stopping …")
    bind_stop(dock.skip, runner.skip, results.job, results.status, "Skipping this batch …")
    bind(results.gallery.select, runner.choose, [results.shown], [results.text, results.chosen])
