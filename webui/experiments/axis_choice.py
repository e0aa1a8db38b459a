"""Which axes a request has: A1111's, those of extensions behind them; and how one is found by what it is called."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from webui.domain.request import GenerationRequest
from webui.experiments.axes import AXES, FACES, Axis
from webui.experiments.extension_axes import axis_of, lora_axis
from webui.experiments.origin import Surroundings


def axes_of(task: str, around: Surroundings) -> tuple[Axis, ...]:
    """The axes of a kind of request, in the order by which clients count them."""
    own = (_with_faces(axis, around) for axis in AXES if task in axis.tasks)
    return (*own, *map(axis_of, around.options))


def axis_named(wanted: int | str, known: Sequence[Axis]) -> Axis | None:
    """The axis of a number, an id or a label in any case."""
    if not isinstance(wanted, str):
        return known[wanted] if 0 <= wanted < len(known) else None
    found = next((axis for axis in known if wanted == axis.id or axis.label.lower() == wanted.lower()), None)
    return found or lora_axis(wanted)


def _with_faces(axis: Axis, around: Surroundings) -> Axis:
    """The axis; of restoring faces the one that an extension gives its meaning."""
    if axis.label != FACES or not around.faces:
        return axis
    return replace(axis, change=partial(_restored, around))


def _restored(around: Surroundings, request: GenerationRequest, value: str, every: Sequence[Any]) -> GenerationRequest:
    """The request with faces restored as A1111's word says; any other word leaves them as they are."""
    found = around.faces.get(value.strip().lower())
    if found is not None:
        name, options = found
        return request.with_(extensions={**request.extensions, name: {**request.extensions.get(name, {}), **options}})
    names = {name for name, _ in around.faces.values()}
    return request.with_(extensions={name: one for name, one in request.extensions.items() if name not in names})
