"""The part of the img2img form that txt2img does not have: pictures, mask, and their options, read into a task."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import gradio as gr
from gradio.components import Component
from PIL import Image
from pydantic import ValidationError

from webui.domain.errors import BadRequestError
from webui.domain.images import safe_open
from webui.domain.inpainting import Inpainting, Outpainting, SoftInpainting
from webui.domain.masks import Mask
from webui.domain.parameters.leaves import bounds, leaves
from webui.domain.parameters.pictures import MORE
from webui.domain.parameters.table import ROWS, row_of
from webui.domain.request import GenerationRequest, Img2Img
from webui.imaging.sketch import blended, paint_mask
from webui.ui import forms
from webui.ui.editor import COLOURING, MASKING, Canvas
from webui.ui.forms import Form

Mode = str  # one of MODES
T = TypeVar("T")
U = TypeVar("U")
PLAIN, SKETCH, INPAINT, INPAINT_SKETCH = "img2img", "sketch", "inpaint", "inpaint_sketch"
UPLOAD, OUTPAINT = "inpaint_upload", "outpaint"
MODES: tuple[tuple[Mode, str], ...] = (
    (PLAIN, "img2img"),
    (SKETCH, "Sketch"),
    (INPAINT, "Inpaint"),
    (INPAINT_SKETCH, "Inpaint sketch"),
    (UPLOAD, "Inpaint upload"),
    (OUTPAINT, "Outpaint"),
)
MASKED = (INPAINT, INPAINT_SKETCH, UPLOAD)
BLUR, TRANSPARENCY, SOFT = "mask_blur", "mask_transparency", "soft.enabled"
SIDES = ("left", "right", "top", "bottom")
NO_PICTURE = "Drop a picture first."


@dataclass(frozen=True, slots=True)
class Pictures:
    """The components for pictures and masks; `mode` holds the sub-tab in view.

    `mode` is a hidden field instead of a State, because a script sets it, which cannot change what the server keeps.
    """

    mode: gr.Textbox
    plain: gr.Image
    sketch: Canvas
    editor: Canvas
    paint: Canvas
    base: gr.Image
    mask: gr.Image
    outpaint: gr.Image

    @property
    def all(self) -> list[Component]:
        canvases = [canvas.component for canvas in (self.sketch, self.editor, self.paint)]
        return [self.mode, self.plain, *canvases, self.base, self.mask, self.outpaint]

    def picture(self, values: Mapping[Component, Any]) -> Image.Image:
        """The picture of the sub-tab in view, without what was painted on it. Raises BadRequestError: there is none."""
        canvas = {SKETCH: self.sketch, INPAINT: self.editor, INPAINT_SKETCH: self.paint}.get(values[self.mode])
        if canvas is not None:
            return _drawn(canvas.masked(values[canvas.component]))[0]
        source = {UPLOAD: self.base, OUTPAINT: self.outpaint}.get(values[self.mode], self.plain)
        return _opened(values[source], NO_PICTURE)

    def read(
        self, values: Mapping[Component, Any], blur: float = 0, transparency: float = 0
    ) -> tuple[Image.Image, Mask | None]:
        """What the sub-tab in view starts from, and its mask where it has one.

        Args:
            blur: of the mask of Inpaint sketch, a standard deviation in pixels.
            transparency: of the same mask, 0..100 percent.

        Raises:
            BadRequestError: there is no picture, or nothing is masked.
        """
        match values[self.mode]:
            case "sketch":
                return _drawn(self.sketch.sketched(values[self.sketch.component]))[1], None
            case "inpaint":
                picture, mask = _drawn(self.editor.masked(values[self.editor.component]))
                return picture, _needed(mask)
            case "inpaint_sketch":
                original, painted = _drawn(self.paint.sketched(values[self.paint.component]))
                changed = _needed(paint_mask(original, painted, transparency))
                return blended(original, painted, changed, blur), Mask.of(changed)
            case "inpaint_upload":
                uploaded = _opened(values[self.mask], "Drop a mask, too: white is repainted.")
                return self.picture(values), Mask.of(uploaded)
        return self.picture(values), None


@dataclass(frozen=True, slots=True)
class PictureForm:
    """The whole form of the tab img2img.

    Attributes:
        form: what it shares with txt2img.
        pictures: where they come from.
        options: the other controls, by name of the task's field; `soft.*` of soft inpainting, `outpaint.*`.
    """

    form: Form
    pictures: Pictures
    options: Mapping[str, Component]

    @property
    def controls(self) -> Mapping[str, Component]:
        return self.form.controls

    @property
    def components(self) -> set[Component]:
        return {*self.form.components, *self.pictures.all, *self.options.values()}

    def read(self, values: Mapping[Component, Any]) -> GenerationRequest:
        """The request that the tab shows.

        Raises:
            BadRequestError: naming the field and what is wrong with it.
        """
        shown = {name: values[control] for name, control in self.options.items()}
        picture, mask = self.pictures.read(values, _span(shown, BLUR, 256), _span(shown, TRANSPARENCY, 100))
        mode = values[self.pictures.mode]
        task = {name: value for name, value in shown.items() if name in Img2Img.model_fields}
        try:
            request = self.form.read(values)
            scale = forms.plain("image_cfg_scale", task["image_cfg_scale"])
            parts: dict[str, Any] = {"image": picture, "image_cfg_scale": scale}
            if mask is not None:
                parts["inpainting"] = _inpainting(shown, mask)
            if mode == OUTPAINT:
                parts["outpainting"] = _part(Outpainting, shown, "outpaint.")
            return request.with_(task=Img2Img(**{**task, **parts}))
        except ValidationError as error:
            raise forms.bad_request(error) from None


def _inpainting(shown: Mapping[str, Any], mask: Mask) -> Inpainting:
    own = {name: value for name, value in shown.items() if name in Inpainting.model_fields}
    blur = shown[BLUR]
    soft = _part(SoftInpainting, shown, "soft.") if shown[SOFT] else None
    return Inpainting(**{**own, "mask": mask, "mask_blur_x": blur, "mask_blur_y": blur, "soft": soft})


def _part(kind: Any, shown: Mapping[str, Any], prefix: str) -> Any:
    return kind(**{name: shown[prefix + name] for name in kind.model_fields if prefix + name in shown})


def _drawn(found: tuple[T, U] | None) -> tuple[T, U]:
    if found is None:
        raise BadRequestError("image", "Drop a picture first, then paint on it.")
    return found


def _needed(mask: T | None) -> T:
    if mask is None:
        raise BadRequestError("mask", "Nothing is masked yet: paint over what shall change.")
    return mask


def _span(shown: Mapping[str, Any], name: str, high: float) -> float:
    """A number that a slider sent, 0..high."""
    value = shown[name]
    if not isinstance(value, int | float) or not 0 <= value <= high:
        raise BadRequestError(name, f"should be a number from 0 to {high:g} (it is {value!r})")
    return value


def _opened(sent: Mapping[str, Any] | None, missing: str) -> Image.Image:
    if not sent or not sent.get("path"):
        raise BadRequestError("image", missing)
    return safe_open(Path(sent["path"]))


def draw_pictures() -> tuple[Pictures, gr.Tabs, dict[Mode, gr.Tab]]:
    """Draw the sub-tabs, each with a component for a picture."""
    dropped: dict[str, Any] = {
        "type": "filepath", "image_mode": None, "sources": ["upload", "clipboard"], "height": 420, "buttons": [],
    }  # fmt: skip
    tabs: dict[Mode, gr.Tab] = {}
    with gr.Tabs(selected=PLAIN, elem_id="mode_img2img") as modes:
        with gr.Tab(MODES[0][1], id=PLAIN, elem_id="img2img_img2img_tab") as tabs[PLAIN]:
            plain = gr.Image(label="Picture", elem_id="img2img_image", **dropped)
        with gr.Tab(MODES[1][1], id=SKETCH, elem_id="img2img_img2img_sketch_tab") as tabs[SKETCH]:
            sketch = Canvas.drawn(
                COLOURING, "Paint", label="Paint; the picture starts from it", elem_id="img2img_sketch", height=520
            )
        with gr.Tab(MODES[2][1], id=INPAINT, elem_id="img2img_inpaint_tab") as tabs[INPAINT]:
            editor = Canvas.drawn(
                MASKING, "Mask", label="Paint over what shall change", elem_id="img2maskimg", height=520
            )
        with gr.Tab(MODES[3][1], id=INPAINT_SKETCH, elem_id="img2img_inpaint_sketch_tab") as tabs[INPAINT_SKETCH]:
            paint = Canvas.drawn(
                COLOURING, "Paint", label="Paint; only there the picture changes", elem_id="inpaint_sketch", height=520
            )
        with gr.Tab(MODES[4][1], id=UPLOAD, elem_id="img2img_inpaint_upload_tab") as tabs[UPLOAD], gr.Row():
            base = gr.Image(label="Picture", elem_id="img_inpaint_base", **dropped)
            mask = gr.Image(label="Mask: white changes", elem_id="img_inpaint_mask", **dropped)
        with gr.Tab(MODES[5][1], id=OUTPAINT, elem_id="img2img_outpaint_tab") as tabs[OUTPAINT]:
            outpaint = gr.Image(label="Picture to grow", elem_id="img_outpaint_base", **dropped)
    pictures = Pictures(gr.Textbox(PLAIN, visible=False), plain, sketch, editor, paint, base, mask, outpaint)
    return pictures, modes, tabs


class _Drawer:
    """Draws fields of the task as the table of fields describes them.

    Attributes:
        options: the controls by the names of `PictureForm.options`.
    """

    def __init__(self) -> None:
        self._fields = dict(leaves(Img2Img))
        self.options: dict[str, Component] = {}

    def slider(self, name: str, path: str, elem_id: str, **more: Any) -> None:
        row, field = row_of(f"task.{path}"), self._fields[path]
        low, high, step = row.span or (*bounds(field), more.pop("step", 1 if field.annotation is int else 0.01))
        label = row.label or path.rpartition(".")[2].replace("_", " ").capitalize()
        shown = {"value": field.default, "label": label, **more}
        self.options[name] = gr.Slider(low, high, step=step, elem_id=elem_id, buttons=[], **shown)

    def radio(self, name: str, path: str, elem_id: str) -> None:
        row, value = row_of(f"task.{path}"), self._fields[path].default
        self.options[name] = gr.Radio([*row.choices], value=value, label=row.label, elem_id=elem_id, min_width=180)

    def dropdown(self, name: str, path: str, elem_id: str) -> None:
        row, value = row_of(f"task.{path}"), self._fields[path].default
        self.options[name] = gr.Dropdown([*row.choices], value=value, label=row.label, elem_id=elem_id, min_width=180)

    def checkbox(self, name: str, path: str, elem_id: str) -> None:
        row, field = row_of(f"task.{path}"), self._fields[path]
        about = field.description
        self.options[name] = gr.Checkbox(field.default, label=row.label, info=about, elem_id=elem_id)

    def rest_of(self, group: str) -> None:
        """Draw the task's own fields in a group of the page that were not drawn yet."""
        for name in (row.path.removeprefix("task.") for row in ROWS if row.group == group):
            default = self._fields[name].default
            if name not in self.options:
                draw = self.checkbox if isinstance(default, bool) else self.dropdown
                (draw if isinstance(default, bool | str) else self.slider)(name, name, f"img2img_{name}")


def draw_options() -> tuple[Mapping[str, Component], gr.Group, gr.Group]:
    """Draw the controls of the task. Returns also the groups that are visible only while masks or margins are in
    use.
    """
    drawer = _Drawer()
    with gr.Row(elem_classes="tight"):
        drawer.dropdown("resize_mode", "resize_mode", "resize_mode")
        drawer.slider("denoising_strength", "denoising_strength", "img2img_denoising_strength", min_width=180)
    with gr.Group(visible=False, elem_id="img2img_inpaint_controls") as masked:
        _draw_mask(drawer)
    with gr.Group(visible=False, elem_id="img2img_outpaint_controls") as margins:
        _draw_margins(drawer)
    with gr.Accordion("Starting noise, colours, editing checkpoints", open=False, elem_id=MORE):
        with gr.Row(elem_classes="tight"):
            for name in ("noise_multiplier", "extra_noise"):
                drawer.slider(name, name, f"img2img_{name}", min_width=180)
            drawer.slider(
                "image_cfg_scale", "image_cfg_scale", "img2img_image_cfg_scale", value=1.5,
                info="instruct-pix2pix checkpoints only",
            )  # fmt: skip
        with gr.Row(elem_classes="tight"):
            drawer.rest_of(MORE)
    return MappingProxyType(drawer.options), masked, margins


def _draw_mask(drawer: _Drawer) -> None:
    with gr.Row(elem_classes="tight"):
        drawer.slider(BLUR, "inpainting.mask_blur_x", "img2img_mask_blur")
        drawer.options[TRANSPARENCY] = gr.Slider(
            0, 100, value=0, step=1, label="Mask transparency", visible=False, elem_id="img2img_mask_alpha", buttons=[]
        )
        drawer.radio("invert", "inpainting.invert", "img2img_mask_mode")
    drawer.radio("content", "inpainting.content", "img2img_inpainting_fill")
    with gr.Row(elem_classes="tight"):
        drawer.radio("area", "inpainting.area", "img2img_inpaint_full_res")
        drawer.slider("padding", "inpainting.padding", "img2img_inpaint_full_res_padding")
    with gr.Accordion("Soft inpainting", open=False, elem_id="soft"):
        drawer.options[SOFT] = gr.Checkbox(False, label="Soft inpainting", elem_id="soft_inpainting_enabled")
        with gr.Row(elem_classes="tight grid"):
            for name, field in SoftInpainting.model_fields.items():
                drawer.slider(
                    f"soft.{name}", f"inpainting.soft.{name}", f"soft_inpainting_{name}",
                    step=0.05, info=field.description, min_width=220,
                )  # fmt: skip


def _draw_margins(drawer: _Drawer) -> None:
    with gr.Row(elem_classes="tight"):
        for side in SIDES:
            drawer.slider(
                f"outpaint.{side}", f"outpainting.{side}", f"outpaint_{side}",
                value=128 if side == "right" else 0, min_width=120,
            )  # fmt: skip
    with gr.Row(elem_classes="tight"):
        drawer.slider("outpaint.mask_blur", "outpainting.mask_blur", "outpaint_mask_blur")
        drawer.radio("outpaint.content", "outpainting.content", "img2img_outpaint_content")
