"""Scripts that extensions declare, as the scripts that they are among: their code is asked, and runs elsewhere."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic import ValidationError

from webui.domain.errors import BadRequestError, WebuiError
from webui.domain.extensions import ScriptInfo
from webui.domain.images import Picture
from webui.domain.request import GenerationRequest
from webui.experiments.course import (
    Course,
    Experiment,
    Layout,
    Made,
    Place,
    Plan,
    Scale,
    Shown,
    with_picture,
)
from webui.experiments.gaps import failures, representative
from webui.experiments.origin import Origin
from webui.experiments.script import ARGUMENTS, Argument, Script, Surroundings
from webui.experiments.xyz_sheet import Sheet
from webui.imaging.grids import grid_of

Ask = Callable[[Mapping[str, Any]], Mapping[str, Any]]  # what `webui.plugins.script_actions.ScriptCall` says -> answer


def declared_script(info: ScriptInfo, ask: Ask) -> Script:
    """The script of a declaration; `ask` raises WebuiError, and must not be called in an event loop."""
    properties: Mapping[str, Any] = info.options.get("properties", {})
    arguments = tuple(_argument(name, field) for name, field in properties.items())
    return Script(info.title, arguments, partial(_begin, info, tuple(properties), ask), info.tasks, draws_seeds=True)


def _argument(name: str, field: Mapping[str, Any]) -> Argument:
    value = field.get("default")
    value = tuple(value) if isinstance(value, list) else "" if value is None else value
    if field.get("type") == "number" and isinstance(value, int):
        value = float(value)
    step = 1.0 if field.get("type") == "integer" else None
    label = str(field.get("form", {}).get("label") or field.get("title") or name)
    return Argument(
        label, value, field.get("minimum"), field.get("maximum"), step, tuple(map(str, field.get("enum", ())))
    )


def _begin(
    info: ScriptInfo,
    names: Sequence[str],
    ask: Ask,
    request: GenerationRequest,
    values: Sequence[Any],
    around: Surroundings,
) -> Experiment:
    given = dict(zip(names, values, strict=True))
    call = {"request": request.model_dump_json(), "values": given}
    if not around.planned:  # else the program was started anew, and the worker need not be asked
        try:
            around = replace(around, planned=json.dumps(dict(ask(call)), ensure_ascii=False))
        except BadRequestError as error:
            name = error.field.removeprefix("script.")
            place = f"{ARGUMENTS}.{names.index(name)}" if name in names else "script_name"
            raise BadRequestError(place, error.message) from None
    answer = json.loads(around.planned)
    if "cells" in answer:
        experiment = _planned(info, answer, around)
    else:
        course = _steps(info, call, ask, around)
        experiment = Experiment(info.title, max(1, int(answer.get("count", 1))), course)
    arguments = tuple(list(value) if isinstance(value, tuple) else value for value in values)
    return replace(experiment, origin=Origin(info.title.lower(), arguments, request, around))


def _planned(info: ScriptInfo, answer: Mapping[str, Any], around: Surroundings) -> Experiment:
    try:
        cells = tuple(GenerationRequest.model_validate_json(text) for text in answer["cells"])
    except ValidationError as error:
        raise WebuiError(f"{info.title}: {error.errors(include_input=False)[0]['msg']}") from None
    axes = [Scale(one["label"], tuple(one["values"])) for one in answer["axes"]]
    axes = axes or [Scale(info.title, tuple(str(number + 1) for number in range(len(cells))))]
    x, y, z = (*axes, Scale(), Scale())[:3]
    above, beside, over = map(_headings, (x, y, z))
    sheet = Sheet(
        above, beside, over, legend=True, margin=0, lone_images=True, sub_grids=False,
        plane_details={"Script": info.title}, depth_details={},
    )  # fmt: skip
    places: list[Place] = [
        (ix, iy, iz) for iz in range(len(z.values)) for iy in range(len(y.values)) for ix in range(len(x.values))
    ]
    layout = Layout((x, y, z), (above, beside, over), legend=True, background=around.background)
    return Experiment.of(info.title, Plan(cells, lambda made: sheet.composed(made, cells, around)), layout, places)


def _headings(scale: Scale) -> tuple[str, ...]:
    return tuple(f"{scale.label}: {value}" if scale.label else value for value in scale.values)


def _steps(info: ScriptInfo, call: Mapping[str, Any], ask: Ask, around: Surroundings) -> Course:
    """Asks for a request after each that is done."""
    done: list[Made] = []
    while not (done and done[-1].stopped):
        answer = ask({**call, "done": [_told(one) for one in done]})
        if "request" not in answer:
            break
        done.append((yield GenerationRequest.model_validate_json(answer["request"])))
    images = [image for one in done for image in one.images]
    if not images and done and done[-1].stopped:
        done[-1].first()  # raises why
    first = representative(done)
    grid = None
    if len(images) > 1 and around.returns_grid:
        grid = with_picture(first.image, grid_of([image.image for image in images], 1, around.background))
    stopped = any(one.stopped for one in done)
    return Shown.with_their_texts(
        images, first.result, grid=grid, notices=failures(info.title, done), interrupted=stopped
    )


def _told(made: Made) -> dict[str, Any]:
    return {
        "images": [Picture.of(image.image).to_base64() for image in made.images],
        "infotexts": [image.infotext for image in made.images],
        "error": made.error,
    }
