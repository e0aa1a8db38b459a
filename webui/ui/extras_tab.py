"""The tab Extras: enlarge one picture or several. The work is a job, which `generate.py` follows."""

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component
from pydantic import ValidationError

from webui.domain.errors import BadRequestError, WebuiError
from webui.domain.images import Picture, safe_open
from webui.domain.request import GenerationRequest
from webui.domain.upscale import Upscale
from webui.domain.visitor import owner_of
from webui.output.metadata import read_text
from webui.ui import forms, model_choices
from webui.ui.album import Album
from webui.ui.events import bind, bind_stop
from webui.ui.extension_views import draw_accordions, names_of
from webui.ui.generate import Results, Runner, Updates

if TYPE_CHECKING:
    from webui.engine.engine import Engine

NAMES = (
    "upscaler", "second_upscaler", "second_visibility", "mode", "scale", "max_side", "width", "height", "crop",
)  # fmt: skip


def draw(engine: "Engine", album: Path, *, save_images: bool, embed_parameters: bool) -> list[Component]:
    """Draw the tab inside the caller's Blocks and give its buttons something to do.

    Args:
        album: the private folder of the pictures that are shown.

    Returns:
        The controls that list upscalers, for `fresh_lists`.
    """
    with gr.Row():
        with gr.Column(min_width=320):
            with gr.Tabs(elem_id="mode_extras"):
                with gr.Tab("Single Image", elem_id="extras_single_tab"):
                    # With a path and no mode Gradio keeps the file unchanged, with its infotext and its alpha channel.
                    image = gr.Image(
                        type="filepath", image_mode=None, sources=["upload", "clipboard"], label="Source", height=360,
                        elem_id="extras_image", buttons=[],
                    )  # fmt: skip
                with gr.Tab("Batch Process", elem_id="extras_batch_process_tab"):
                    files = gr.File(
                        label="Pictures", file_count="multiple", file_types=["image"], elem_id="extras_image_batch"
                    )
            with gr.Row(elem_classes="tight"):
                generate = gr.Button("Generate", variant="primary", elem_id="extras_generate")
                interrupt = gr.Button("Interrupt", elem_id="extras_interrupt")
            controls = _options(engine)
            infos = [info for info in engine.extensions.infos if info.dialect.extras]
            accordions = draw_accordions(infos, "extras", names_of(engine))
        with gr.Column(min_width=320, elem_id="extras_results"):
            results = _results()
    runner = Runner(engine, results, Album(album, embed_parameters), save_images)

    async def start(
        sender: gr.Request, path: str | None, paths: list[str] | None, *values: Any
    ) -> AsyncIterator[Updates]:
        own, others = values[: len(controls)], values[len(controls) :]
        try:
            asked = accordions.read(dict(zip(accordions.components, others, strict=True)))
            request = request_of(paths or ([path] if path else []), own, asked)
            job = runner.submit(request, owner_of(sender))
        except WebuiError as error:
            yield results.fail(str(error))
            return
        async for updates in runner.follow(job):
            yield updates

    bind(generate.click, start, [image, files, *controls, *accordions.components], results.all)
    bind_stop(interrupt, runner.interrupt, results.job, results.status, "Stopping …")
    bind(results.gallery.select, runner.choose, [results.shown], [results.text, results.chosen])
    return controls[:2]


def fresh_lists(engine: "Engine") -> list[dict[str, Any]]:
    """Updates of the lists of upscalers, as they are on disk now."""
    return [gr.update(choices=model_choices.upscaler_choices(engine.library))] * 2


def request_of(
    paths: Sequence[str], values: Sequence[Any], extensions: Mapping[str, dict[str, Any]] = MappingProxyType({})
) -> GenerationRequest:
    """The job that the tab shows.

    Args:
        paths: the pictures that were uploaded.
        values: of the controls, in the order of `NAMES`.
        extensions: options of those that work on finished pictures, too.

    Raises:
        BadRequestError: naming the field, or the picture.
    """
    if not paths:
        raise BadRequestError("image", "choose a picture first")
    pictures, texts = [], []
    for path in paths:
        try:
            opened = safe_open(Path(path))
            pictures.append(Picture.of(opened, clear=True))
        except ValueError as error:
            raise BadRequestError("image", str(error)) from None
        texts.append(read_text(opened))
    try:
        options = dict(zip(NAMES, values, strict=True))
        task = Upscale(images=tuple(pictures), infotexts=tuple(texts), **options)
        return GenerationRequest(task=task, extensions=dict(extensions))
    except ValidationError as error:
        raise forms.bad_request(error) from None


def _options(engine: "Engine") -> list[Component]:
    """The controls, in the order of `NAMES`."""
    schemas, drawn = forms.leaves(Upscale), {}
    choices = model_choices.upscaler_choices(engine.library)

    def one(name: str, elem_id: str, **more: Any) -> None:
        schema = schemas[name]
        drawn[name] = forms.draw(name, schema, value=schema["default"], elem_id=elem_id, min_width=150, **more)

    with gr.Row(elem_classes="tight"):
        drawn["upscaler"] = gr.Dropdown(choices, value="Lanczos", label="Upscaler 1", elem_id="extras_upscaler_1")
        drawn["second_upscaler"] = gr.Dropdown(choices, value="None", label="Upscaler 2", elem_id="extras_upscaler_2")
        one("second_visibility", "extras_upscaler_2_visibility", label="Upscaler 2 visibility", info=None)
    with gr.Row(elem_classes="tight"):
        modes = [("Scale by", "by"), ("Scale to", "to")]
        drawn["mode"] = gr.Radio(modes, value="by", label="Size", elem_id="extras_resize_mode")
        one("scale", "extras_upscaling_resize", label="Resize", info=None, span=(1, 8, 0.05))
        one("max_side", "extras_upscale_max_side_length", label="Max side length (0: no limit)", info=None)
    with gr.Row(elem_classes="tight"):
        one("width", "extras_upscaling_resize_w", info=None)
        one("height", "extras_upscaling_resize_h", info=None)
        one("crop", "extras_upscaling_crop", label="Crop to fit", info=None)
    return [drawn[name] for name in NAMES]


def _results() -> Results:
    status = gr.HTML(elem_id="extras_status")
    bar = gr.HTML(elem_id="extras_progress")
    preview = gr.HTML(visible=False)
    gallery = gr.Gallery(
        label="Output", show_label=False, columns=4, object_fit="contain", height=520, format="png",
        interactive=False, elem_id="extras_gallery", buttons=["download", "fullscreen"],
    )  # fmt: skip
    text = gr.Textbox(label="What was done", lines=2, interactive=False, buttons=["copy"], elem_id="html_info_extras")
    job = gr.BrowserState("", storage_key="webui_last_extras_job")
    return Results(bar, preview, status, gallery, text, gr.State([]), gr.State(0), job)
