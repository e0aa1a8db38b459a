"""Scripts: many pictures from one request, with their places in a plot. Needs no torch.

A script is either a plan, whose requests are known before the first picture is made, or steps, a generator that is
handed what became of each request before it gives the next. The program does the rest: every request is a job of the
queue, the whole is stored and goes on after a restart, and a request that fails leaves a gap.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from webui.domain.images import Picture
from webui.domain.request import GenerationRequest
from webui.extension_api.options import Options


@dataclass(frozen=True, slots=True)
class ScriptAxis:
    """An axis of a plan: its name, and the text of each of its values."""

    label: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScriptPlan:
    """The requests of a plan.

    Attributes:
        cells: along the first axis fastest, then the second, then the third.
        axes: 1 to 3, whose lengths multiplied are the number of cells; empty: the cells stand in one row.
    """

    cells: tuple[GenerationRequest, ...]
    axes: tuple[ScriptAxis, ...] = ()


@dataclass(frozen=True, slots=True)
class ScriptResult:
    """What became of a request.

    Attributes:
        images: its pictures; empty where it failed.
        infotexts: their generation parameters.
        error: why there are none; "" where there are.
    """

    images: tuple[Picture, ...] = ()
    infotexts: tuple[str, ...] = ()
    error: str = ""


Steps = Generator[GenerationRequest, ScriptResult, None]


@dataclass(frozen=True, slots=True)
class Script:
    """A script that can be chosen for a request.

    Both functions are pure: called again with the same arguments they do the same, because a plot that goes on after a
    restart asks them again. Seeds that a request leaves to chance are drawn before.

    Attributes:
        name: letters, digits and _.
        title: what people and programs choose it by (`script_name`).
        options: the model of its form; their order is that of `script_args`.
        plan: makes the plan of a request and its options. Raise BadRequestError for what cannot be done.
        steps: the generator of a request and its options; give either this or `plan`.
        count: how many requests `steps` gives at most.
        tasks: the kinds of request that it can be chosen for.
    """

    name: str
    title: str
    options: type[Options]
    plan: Callable[[GenerationRequest, Any], ScriptPlan] | None = None
    steps: Callable[[GenerationRequest, Any], Steps] | None = None
    count: Callable[[GenerationRequest, Any], int] | None = None
    tasks: tuple[str, ...] = ("txt2img", "img2img")
