"""The axes as a page lists them: under which heading, and which values are at hand. Plain data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from webui.domain.parameters.leaves import bounds, leaves
from webui.domain.parameters.table import row_of
from webui.experiments.axes import AXES, FACES, NOTHING, Axis
from webui.experiments.axis_choice import axes_of
from webui.experiments.extension_axes import weight_axis
from webui.experiments.origin import Surroundings
from webui.experiments.script import BOTH

SAMPLING, PROMPT, MODELS, HIRES, EXTENSIONS = "Sampling", "Prompt", "Models", "Hires. fix", "Extensions"
GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "Prompt S/R": PROMPT, "Prompt order": PROMPT, "Styles": PROMPT, "Clip skip": PROMPT,
        "Checkpoint name": MODELS, "VAE": MODELS, "Refiner checkpoint": MODELS, "Refiner switch at": MODELS,
        "FP8 mode": MODELS, "Hires steps": HIRES, "Hires sampler": HIRES, "Hires upscaler": HIRES,
        "Token merging ratio high-res": HIRES, "Face restore": EXTENSIONS,
    }
)  # fmt: skip
LOADING = 0.7  # an axis that costs so much has other models loaded


@dataclass(frozen=True, slots=True)
class ListedAxis:
    """One axis.

    Attributes:
        kind: what its values are: numbers, texts of a list, or any text.
        low, high, step: of a number, where it has bounds.
        load: whether other models are loaded for each value.
        modes: kinds of request that have it.
        path: of the field of a request that it changes; "" where it is not one alone.
    """

    id: str
    label: str
    group: str
    kind: Literal["number", "choice", "text"]
    low: float | None
    high: float | None
    step: float | None
    choices: tuple[str, ...]
    load: bool
    modes: tuple[str, ...]
    path: str = ""


def listed(around: Surroundings) -> tuple[ListedAxis, ...]:
    """Every axis that has values, in A1111's order, those of extensions behind."""
    order = {axis.id: number for number, axis in enumerate(AXES)}
    every = {axis.id: axis for task in BOTH for axis in axes_of(task, around)}
    in_order = sorted(every.values(), key=lambda axis: order.get(axis.id, len(order)))
    in_order += map(weight_axis, around.choices.get("loras", ()))
    left_out = {NOTHING} if around.faces else {NOTHING, FACES}
    return tuple(_listed(axis, around.choices) for axis in in_order if axis.label not in left_out and not axis.refused)


def _listed(axis: Axis, choices: Mapping[str, Iterable[str]]) -> ListedAxis:
    known = (*axis.fixed, *choices.get(axis.source, ()))
    kind: Literal["number", "choice", "text"] = "number" if axis.kind in ("int", "float") else "text"
    low, high, step = axis.span or _span(axis)
    if axis.kind == "int":
        step = 1.0
    elif step is not None and step == int(step):
        step = None  # which tells a number from a whole one
    return ListedAxis(
        axis.id, axis.label, axis.group or GROUPS.get(axis.label, SAMPLING), "choice" if axis.is_chosen else kind,
        low, high, step, tuple(dict.fromkeys(known)), axis.cost >= LOADING, axis.tasks, axis.path,
    )  # fmt: skip


def _span(axis: Axis) -> tuple[float | None, float | None, float | None]:
    """What is handy to drag, of a number that is a leaf of a request."""
    if not axis.path or axis.kind not in ("int", "float"):
        return None, None, None
    whole = 1.0 if axis.kind == "int" else None
    row = row_of(axis.path)
    if row.span is not None:
        return row.span
    for path, field in leaves():
        if path == axis.path:
            try:
                return *bounds(field), whole
            except LookupError:
                break
    return None, None, whole


def as_json(axis: ListedAxis) -> dict[str, Any]:
    """What the page is told of one."""
    return {name: getattr(axis, name) for name in ListedAxis.__slots__} | {
        "choices": list(axis.choices), "modes": list(axis.modes),
    }  # fmt: skip
