"""What a page says of an experiment, as JSON, and the experiment that it stands for.

A plot is `{"kind": "xyz", "axes": [{"id", "values"}, ...], "legend", "lone", "subgrids", "margin", "vary",
"keep_random", "csv"}`, every other script `{"kind", "script", "values": {name of an argument: value}}`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from webui.domain.errors import BadRequestError
from webui.domain.request import GenerationRequest
from webui.experiments.axis_choice import axes_of, axis_named
from webui.experiments.axis_values import as_text
from webui.experiments.course import Experiment
from webui.experiments.origin import Origin, Surroundings
from webui.experiments.script import ARGUMENTS, Argument, Script
from webui.experiments.script_list import SCRIPTS, script_named
from webui.experiments.xyz_plot import XYZ_PLOT

FIELD = "experiment"  # of the page's form
MOST_TEXT = 2_000_000  # characters
AXES = 3
WIDTH = 3  # arguments of each axis: its type, a text, a list
FLAGS = ("legend", "lone", "subgrids", "keep_random")  # in the order of the arguments


def started(
    plan_json: str, request: GenerationRequest, around: Surroundings, scripts: Sequence[Script] = SCRIPTS
) -> Experiment:
    """The experiment of a plan.

    Raises:
        BadRequestError: it cannot be carried out; the field is `experiment.axes.1`, `experiment.values.loops`.
    """
    plan = _read(plan_json)
    if plan.get("kind") == "xyz":
        script, arguments = XYZ_PLOT, _plot_arguments(plan, request, around)
    else:
        script = _script(plan, scripts)
        arguments = _arguments(plan, script, request.task.kind)
    try:
        return script.start(request, arguments, around)
    except BadRequestError as error:
        raise _moved(error, script, request.task.kind) from None


def plan_of(origin: Origin, scripts: Sequence[Script] = SCRIPTS) -> dict[str, Any]:
    """The plan that stands for a script and its arguments, however those were sent."""
    script = script_named(origin.script, scripts)
    if script is None:
        return {"kind": "other", "script": origin.script, "values": {}}
    task = origin.request.task.kind
    given = list(script.adapted(origin.arguments))
    defaults = [argument.value for argument in script.arguments_of(task)]
    values = [one if one is not None else default for one, default in zip(given, defaults, strict=False)]
    values += defaults[len(values) :]
    if script.kind != "xyz":
        named = zip(argument_names(script.arguments_of(task)), values, strict=True)
        told = {name: list(value) if isinstance(value, tuple) else value for name, value in named if name}
        return {"kind": script.kind, "script": script.name, "values": told}
    axes = [_told_axis(values, WIDTH * number, origin) for number in range(AXES)]
    legend, lone, sub, keep, *vary, margin, from_text = values[AXES * WIDTH :]
    return {
        "kind": "xyz", "axes": axes, "legend": legend, "lone": lone, "subgrids": sub, "margin": margin, "vary": vary,
        "keep_random": keep, "csv": from_text,
    }  # fmt: skip


def extended(origin: Origin, axis: int, values: Sequence[str], sizes: Sequence[int]) -> Origin:
    """The same plot with further values at the end of an axis.

    Every cell that there was keeps its place and its request.

    Args:
        axis: 0 to 2.
        sizes: how many values the axes have now.

    Raises:
        BadRequestError: it is no plot, or the axis cannot grow.
    """
    if origin.script != XYZ_PLOT.name or not 0 <= axis < AXES:
        raise BadRequestError("axis", "only the axes of an X/Y/Z plot can be extended, counted 0 to 2")
    given = list(XYZ_PLOT.adapted(origin.arguments))
    given += [argument.value for argument in XYZ_PLOT.arguments[len(given) :]]
    place = WIDTH * axis
    found = axis_named(given[place], axes_of(origin.request.task.kind, origin.around))
    if found is None or found.label == "Nothing" or found.kind == "order":
        raise BadRequestError("axis", "there is nothing along this axis that could be continued")
    text, chosen = str(given[place + 1]), given[place + 2]
    chosen = [chosen] if isinstance(chosen, str) and chosen else list(chosen or ())
    by_list = found.is_chosen and not given[-1] and bool(chosen or not text.strip())
    if by_list:
        given[place + 2] = [*chosen, *values]
    else:
        given[place + 1] = f"{text}, {as_text(values)}"
    around = replace(origin.around, first_sizes=origin.around.first_sizes or tuple(sizes))
    return replace(origin, arguments=tuple(given), around=around)


def argument_names(arguments: Sequence[Argument]) -> list[str]:
    """What a plan calls the arguments; "" for one that is not used."""
    return [_slug(argument.label) if argument.value is not None else "" for argument in arguments]


def _slug(label: str) -> str:
    words = "".join(character if character.isalnum() else " " for character in label.lower()).split()
    return "_".join(words)


def _read(text: str) -> Mapping[str, Any]:
    try:
        plan = json.loads(text) if len(text) <= MOST_TEXT else None
    except ValueError:
        plan = None
    if not isinstance(plan, dict):
        raise BadRequestError(FIELD, "should be the JSON of a plan")
    return plan


def _script(plan: Mapping[str, Any], scripts: Sequence[Script]) -> Script:
    name = str(plan.get("script") or "")
    of_kind = (one for one in scripts if one.kind == plan.get("kind"))
    found = script_named(name, scripts) if name else next(of_kind, None)
    if found is None:
        raise BadRequestError(f"{FIELD}.script", f"there is no script {name[:100]!r}")
    return found


def _arguments(plan: Mapping[str, Any], script: Script, task: str) -> tuple[Any, ...]:
    values = plan.get("values") or {}
    arguments = script.arguments_of(task)
    names = argument_names(arguments)
    if not isinstance(values, dict):
        raise BadRequestError(f"{FIELD}.values", "should be an object of names and values")
    if unknown := next((name for name in values if name not in names), None):
        raise BadRequestError(f"{FIELD}.values.{unknown}", f"{script.title} has no such option")
    return tuple(values.get(name) if name else None for name in names)


def _plot_arguments(plan: Mapping[str, Any], request: GenerationRequest, around: Surroundings) -> tuple[Any, ...]:
    axes = plan.get("axes")
    if not isinstance(axes, list) or not 1 <= len(axes) <= AXES:
        raise BadRequestError(f"{FIELD}.axes", "should be a list of 1 to 3 axes")
    known = axes_of(request.task.kind, around)
    found: list[Any] = []
    for number in range(AXES):
        given = axes[number] if number < len(axes) else None
        if given is None:
            found += [0, "", []]
            continue
        field = f"{FIELD}.axes.{number}"
        if not isinstance(given, dict):
            raise BadRequestError(field, "should be an object with id and values")
        axis = axis_named(str(given.get("id", "")), known)
        if axis is None:
            raise BadRequestError(field, f"there is no axis {str(given.get('id'))[:100]!r}")
        values = given.get("values", "")
        texts = [str(one) for one in values] if isinstance(values, list) else []
        if isinstance(values, list) and not axis.is_chosen:
            values, texts = as_text(texts), []
        found += [axis.id, "" if texts else str(values) if isinstance(values, str | int | float) else "", texts]
    vary = plan.get("vary") or [False] * AXES
    if not isinstance(vary, list) or len(vary) != AXES:
        raise BadRequestError(f"{FIELD}.vary", "should be three flags, for X, Y and Z")
    flags = [bool(plan.get(name, name == "legend")) for name in FLAGS]
    return (*found, *flags, *map(bool, vary), plan.get("margin", 0), bool(plan.get("csv", False)))


def _told_axis(values: Sequence[Any], place: int, origin: Origin) -> dict[str, Any] | None:
    axis = axis_named(values[place], axes_of(origin.request.task.kind, origin.around))
    if axis is None or axis.label == "Nothing":
        return None
    text, chosen = values[place + 1], values[place + 2]
    listed: list[str] = [str(chosen)] if isinstance(chosen, str) and chosen else [str(one) for one in chosen or ()]
    by_list = axis.is_chosen and not values[-1] and bool(listed or not str(text).strip())
    return {"id": axis.id, "values": listed if by_list else str(text)}


def _moved(error: BadRequestError, script: Script, task: str) -> BadRequestError:
    """An error of an argument as one of the plan."""
    head, _, number = error.field.rpartition(".")
    if head != ARGUMENTS or not number.isdigit():
        return error
    place = int(number)
    if script.kind == "xyz" and place < AXES * WIDTH:
        return BadRequestError(f"{FIELD}.axes.{place // WIDTH}", error.message)
    if script.kind == "xyz":
        return BadRequestError(FIELD, error.message)
    names = argument_names(script.arguments_of(task))
    return BadRequestError(f"{FIELD}.values.{names[place] if place < len(names) else place}", error.message)


def options_of(script: Script, task: str, choices: Mapping[str, Iterable[str]]) -> list[dict[str, Any]]:
    """The options of a script as a page draws them: name, label, kind, value, and what the value may be."""
    arguments = script.arguments_of(task)
    return [
        _told(name, argument, tuple(choices.get(argument.source, ())) or argument.choices)
        for name, argument in zip(argument_names(arguments), arguments, strict=True)
        if name
    ]


def _told(name: str, argument: Argument, choices: Sequence[str]) -> dict[str, Any]:
    value, kind = argument.value, "text"
    if isinstance(value, bool):
        kind = "flag"
    elif isinstance(value, tuple | list):
        kind, value = "choices", list(value)
    elif choices:
        kind, value = "choice", choices[value] if isinstance(value, int) else value
    elif isinstance(value, int | float):
        kind = "number"
    return {
        "name": name, "label": argument.label, "kind": kind, "value": value, "low": argument.low,
        "high": argument.high, "step": argument.step, "choices": list(choices),
    }  # fmt: skip
