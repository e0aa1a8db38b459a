"""What the page is told of plots, and what it orders about one. Addresses are relative to the page's own."""

from typing import Any, Literal

from pydantic import Field

from webui.api.page.messages import CellFacts, Message

State = Literal["running", "done", "stopped", "failed"]


class PlotListed(Message):
    """A plot as the list of plots shows it.

    Attributes:
        made: when it was begun, in the form of ISO 8601.
        sizes: how many values its axes have.
        done: how many of its `count` cells are there.
    """

    id: str
    title: str
    kind: str
    made: str
    sizes: tuple[int, int, int]
    done: int
    count: int
    state: State


class PlotAxis(Message):
    """An axis; one that is not used has no label and one empty value, and is not told behind all that are."""

    label: str
    values: tuple[str, ...]


class WholePlot(PlotListed):
    """A plot with everything that it shows.

    Attributes:
        plan: what it was made by, as it is sent to make one.
        cells: all, x fastest, then y, then z.
        sheets: the addresses of what was put together of the cells and saved.
        job: the job that makes cells of it now.
        error: why it failed.
    """

    plan: dict[str, Any]
    axes: tuple[PlotAxis, ...]
    cells: tuple[CellFacts, ...]
    sheets: tuple[str, ...]
    job: str | None
    error: str


class PlotJob(Message):
    """The job that makes what was missing."""

    job: str


class ExtendCommand(Message):
    """Further values at the end of an axis: texts, as they are written for the axis."""

    axis: int = Field(ge=0, le=2)
    values: tuple[str, ...] = Field(min_length=1, max_length=1000)
