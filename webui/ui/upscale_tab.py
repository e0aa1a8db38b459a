"""The tab Upscale: enlarge one picture or several. `upscale.js` draws it; the work is a job like any other."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import gradio as gr
from pydantic import ValidationError

from webui.domain.errors import BadRequestError, WebuiError
from webui.domain.extensions import ExtensionInfo
from webui.domain.images import Picture, safe_open
from webui.domain.request import GenerationRequest
from webui.domain.upscale import MAX_PICTURES, PLAIN_UPSCALERS, Upscale
from webui.domain.visitor import owner_of
from webui.engine.batch_door import BatchDoor, stand_in
from webui.extension_api.hints import hint
from webui.output.metadata import read_text
from webui.ui import forms
from webui.ui.create import batch_section
from webui.ui.events import bind
from webui.ui.forms_of_extensions.drawn_form import DrawnForm, drawn_form
from webui.ui.forms_of_extensions.extension_sections import form_of
from webui.ui.forms_of_extensions.option_values import read_options
from webui.ui.own import own

if TYPE_CHECKING:
    from webui.engine.engine import Engine

PLAIN = MappingProxyType({name: name for name in PLAIN_UPSCALERS})
BY, TO = MappingProxyType({"mode": ("by",)}), MappingProxyType({"mode": ("to",)})
# How the fields of `Upscale` are drawn; the others are no controls.
HINTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "second_visibility": hint(label="Upscaler 2 visibility"),
        "mode": hint(control="segments", label="Size", labels={"by": "Scale by", "to": "Scale to"}),
        "scale": hint(label="Resize", span=(1, 8, 0.05), when=BY),
        "max_side": hint(label="Longest side (0: no limit)", control="number", when=BY),
        "width": hint(control="number", pair="size", when=TO),
        "height": hint(control="number", pair="size", when=TO),
        "crop": hint(label="Crop to fit", when=TO),
    }
)
# The job's answer goes to whoever listens in the browser; the tab itself may have been left meanwhile.
SAY = "async (told) => { (await import(`${window.webui.base}internal/page/static/${window.webui.version}/bus.js`)).say('upscale:answer', told); }"  # noqa: E501
LOGGER = logging.getLogger(__name__)


def form(further: Sequence[str] = ()) -> DrawnForm:
    """The form of how pictures are enlarged.

    Args:
        further: upscalers that are no files.
    """
    schema = Upscale.model_json_schema()
    fields = schema["properties"]
    labels = {**PLAIN, **{name: name for name in further}}
    upscalers = {
        "upscaler": hint(label="Upscaler 1", model="upscaler", labels=labels),
        "second_upscaler": hint(label="Upscaler 2", model="upscaler", labels=labels),
    }
    drawn = {name: {**fields[name], **marks} for name, marks in {**upscalers, **HINTS}.items()}
    return drawn_form({"properties": drawn}, title="Upscale")


def draw(engine: "Engine", batches: BatchDoor, *, saves: Callable[[], bool]) -> None:
    """Draw the tab inside the caller's gr.Tab."""
    drawn = form(engine.library.further_upscalers)
    infos = [info for info in engine.extensions.infos if info.state == "ok" and info.options and info.dialect.extras]
    parts = [form_of(info).as_json() for info in infos]
    tab = own(
        "upscale", {}, elem_id="extras", elem_classes="fills", events=["start"], form=drawn.as_json(),
        extensions=parts, most=MAX_PICTURES,
    )  # fmt: skip
    told = gr.JSON(visible="hidden", elem_id="extras_told")

    def start(value: Any, sender: gr.Request) -> dict[str, str]:
        owner = owner_of(sender)
        try:
            if isinstance(value, Mapping) and isinstance(folder := value.get("batch"), Mapping):
                options, _ = batch_section.read(folder)
                sent = batch_section.read({"pictures": value.get("pictures")})[1]
                template = request_of(value, drawn, infos, stand_in())
                caller = batch_section.caller_of(sender)
                return {"batch": batches.start(template, options, sent, caller, save=saves(), owner=owner).id}
            request = request_of(value, drawn, infos)
            return {"job": engine.submit(request, save=saves(), owner=owner).id}
        except WebuiError as error:
            return {"error": str(error)}
        except Exception as error:
            LOGGER.exception("the tab Upscale")
            return {"error": f"{type(error).__name__}: {error}"}

    started: Any = tab
    bind(started.start, start, [tab], [told]).then(None, [told], None, js=SAY)


def request_of(
    value: Any,
    drawn: DrawnForm,
    infos: Sequence[ExtensionInfo] = (),
    stand_in: Picture | None = None,
) -> GenerationRequest:
    """The job that the tab shows.

    Args:
        value: of the component: `pictures`, uploaded files; `options`, and `extensions` by name.
        infos: extensions that may work on the pictures.
        stand_in: the one picture of the job, instead of those that were uploaded.

    Raises:
        BadRequestError: naming the field, or the picture.
    """
    told = value if isinstance(value, Mapping) else {}
    files = [one.get("path") for one in told.get("pictures") or () if isinstance(one, Mapping)]
    if not files and stand_in is None:
        raise BadRequestError("image", "choose a picture first")
    pictures, texts = ([], []) if stand_in is None else ([stand_in], [""])
    for path in files if stand_in is None else ():
        try:
            opened = safe_open(Path(str(path)))
            pictures.append(Picture.of(opened, clear=True))
        except ValueError as error:
            raise BadRequestError("image", str(error)) from None
        texts.append(read_text(opened))
    asked = told.get("extensions") or {}
    extensions = {
        info.name: read_options(form_of(info).fields, asked[info.name] or {}, f"extensions.{info.name}")
        for info in infos
        if info.name in asked
    }
    try:
        options = read_options(drawn.fields, told.get("options") or {}, "upscale")
        task = Upscale(images=tuple(pictures), infotexts=tuple(texts), **options)
        return GenerationRequest(task=task, extensions=extensions)
    except ValidationError as error:
        raise forms.bad_request(error) from None
