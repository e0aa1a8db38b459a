"""Actions: what an extension can do beside making pictures (merge, detect, list). Needs no torch."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import JsonValue

from webui.plugins.contexts import ActionContext
from webui.plugins.options import Options


@dataclass(frozen=True, slots=True)
class ActionResult:
    """What an action made.

    Attributes:
        text: one or more sentences, shown as they are.
        images: pictures to show.
        files: what was written, model files among them.
        data: anything else, as JSON; what a route of the action answers where it is given.
    """

    text: str = ""
    images: tuple[Image.Image, ...] = ()
    files: tuple[Path, ...] = ()
    data: JsonValue = None


@dataclass(frozen=True, slots=True)
class Action:
    """Something that can be started by a form, by a route and by programs.

    Attributes:
        name: letters, digits and _; the native route is `POST /api/extensions/<extension>/<name>`.
        title: what stands on the button and over the form.
        options: the model of the form.
        run: does it, in the worker.
        routes: further routes, `"POST /controlnet/detect"`: the JSON body (or the query of a GET) is the options,
            the answer is the result's `data`.
        light: quick and without a network (a list): answered also while a job runs, in a thread of its own.
    """

    name: str
    title: str
    options: type[Options]
    run: Callable[[Any, ActionContext], ActionResult]
    routes: tuple[str, ...] = ()
    light: bool = False
