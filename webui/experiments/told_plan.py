"""Reads back the plot that an infotext tells of, as A1111 writes it (`Script: X/Y/Z plot, X Type: ...`)."""

from collections.abc import Mapping, Sequence
from typing import Any

from webui.experiments.axes import NOTHING, Axis
from webui.experiments.axis_choice import axis_named
from webui.experiments.axis_values import texts_of
from webui.experiments.xyz_plot import TITLE

NAMES = ("X", "Y", "Z")


def told_plan(fields: Mapping[str, str], known: Sequence[Axis]) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """The plan of a plot, and a sentence for each of its axes that is not here.

    What an infotext does not tell (legend, margin, sub grids) is left out of the plan. Seeds that were drawn for the
    plot are taken in place of the -1 that was asked for, so that its pictures come out again.

    Args:
        fields: the items of an infotext.
        known: the axes of the kind of request.

    Returns:
        The plan, or None where no plot is told of or none of its axes is here.
    """
    if fields.get("Script") != TITLE:
        return None, ()
    axes: list[dict[str, Any]] = []
    missing: list[str] = []
    for name in NAMES:
        label = fields.get(f"{name} Type", NOTHING)
        if label == NOTHING:
            continue
        axis = axis_named(label, known)
        if axis is None or axis.refused:
            missing.append(f"{name} Type: there is no axis “{label[:80]}” here; the plot is put together without it")
            continue
        text = fields.get(f"Fixed {name} Values") or fields.get(f"{name} Values", "")
        is_number = axis.kind in ("int", "float") and not axis.is_chosen
        axes.append({"id": axis.id, "values": text if is_number else list(texts_of(text))})
    return ({"kind": "xyz", "axes": axes} if axes else None), tuple(missing)
