"""Actions: what an extension can do beside making pictures (merge, detect, list). Needs no torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from pydantic import JsonValue

from webui.extension_api.job_context import record_nothing
from webui.extension_api.model_files import Models
from webui.extension_api.nested_generation import Generate, cannot_generate
from webui.extension_api.options import Options
from webui.extension_api.picture_tools import NO_TOOLS, Tools

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class ActionResult:
    """The result of an action.

    Attributes:
        text: one or more sentences, shown as they are.
        images: pictures to show.
        files: the files that it wrote, such as models.
        data: anything else, as JSON. Where it is given, routes of the action answer with it.
        again: options with which the same action is queued once more, behind what waits; None: it is done.
    """

    text: str = ""
    images: tuple[Image.Image, ...] = ()
    files: tuple[Path, ...] = ()
    data: JsonValue = None
    again: Mapping[str, JsonValue] | None = None


@dataclass(frozen=True, slots=True)
class ActionContext:
    """The tools of a running action.

    Attributes:
        models: files by name, and what was built from them.
        progress: told (done, total, text) now and then; total 0 where it is not known. An action that neither tells
            it nor asks `stopped` for the setting `hook_deadline` counts as hanging.
        stopped: whether the user cancelled; then return soon, or raise Cancelled.
        device, dtype: where networks run and with which numbers.
        generate: makes the pictures of a request inside this action; see `nested_generation.Generate`. A light action
            has none.
        record: keep named bytes of this action's job for pages that show it while it runs, as a job's `record` does.
        data_dir: the program's data folder; what an extension keeps there lies in a folder of its own.
        others_wait: whether other jobs wait for the models. An action that `gives_way` ends soon where it can go on
            later, with a result that says how (`ActionResult.again`).
        settings: the extension's own that last (`settings_options`); None where it has none.
        tools: preprocessors, detectors and upscalers of all extensions.
        can_go_on: is told (options, place): with these options the same action goes on from where it is, since all
            that it needs for that is written down. Where the worker or the whole program ends during it, it is queued
            once more with the options that were told last; an action that has told none fails. `place` says how far
            it is, in a unit of its own; one during which two workers end at the same place is held.
    """

    models: Models
    progress: Callable[[int, int, str], None]
    stopped: Callable[[], bool]
    device: "torch.device"
    dtype: "torch.dtype"
    generate: Generate = cannot_generate
    record: Callable[[str, bytes], None] = record_nothing
    data_dir: Path = Path("data")
    others_wait: Callable[[], bool] = lambda: False
    settings: Options | None = None
    tools: Tools = NO_TOOLS
    can_go_on: Callable[[Mapping[str, JsonValue], int], None] = lambda options, place: None

    def new_file(self, kind: str, name: str) -> Path:
        """Where a new file of a kind belongs (`models/Stable-diffusion/name`); nothing is written.

        Raises:
            BadRequestError: the name leads elsewhere, or there is such a file.
        """
        return self.models.new_file(kind, name)


@dataclass(frozen=True, slots=True)
class Action:
    """Something that can be started by a form, by a route and by programs.

    Attributes:
        name: letters, digits and _; the native route is `POST /api/extensions/<extension>/<name>`.
        title: the text on the button and above the form.
        options: the model of the form.
        run: the function that does the work, in the worker.
        routes: further routes, `"POST /soft_glow/measure"`: the JSON body (or the query of a GET) is the options,
            the answer is the result's `data`.
        light: whether it is quick and uses no network (a list). It then runs beside other jobs, in a thread of its own.
        gives_way: whether it ends early where others wait, and goes on behind them (`ActionContext.others_wait`).
    """

    name: str
    title: str
    options: type[Options]
    run: Callable[[Any, ActionContext], ActionResult]
    routes: tuple[str, ...] = ()
    light: bool = False
    gives_way: bool = False
