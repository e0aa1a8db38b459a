"""The whole form of txt2img, img2img and inpainting: one set of controls, read as the mode in view wants it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradio.components import Component
from pydantic import ValidationError

from webui.domain.errors import BadRequestError
from webui.domain.request import GenerationRequest
from webui.engine.batch_door import templated
from webui.ui import forms
from webui.ui.create import canvas
from webui.ui.create.batch_section import BatchControls
from webui.ui.create.canvas import SIDES, CanvasValue
from webui.ui.create.form import Form, validated
from webui.ui.create.modes import OF_PICTURES, Mode, mode_of

MAX_BLUR, MAX_TRANSPARENCY = 256, 100
Values = Mapping[Component, Any]
FindPicture = Callable[[str, str], Path | bytes]  # (id of a picture, who asks) -> its file or what is in it


def no_pictures(picture: str, owner: str) -> Path | bytes:
    """Stands in where no picture has an id.

    Raises:
        BadRequestError: always.
    """
    raise BadRequestError("picture", f"there is no picture {picture!r}; put another one on the canvas")


@dataclass(frozen=True, slots=True)
class CreateForm:
    """The form of the page.

    Attributes:
        form: the controls of the request.
        mode: a hidden text box that holds the mode in view.
        canvas: gives what `canvas.read` reads.
        transparency: of the mask that colours make, in percent; it counts while `mask_details` is switched on.
        find_picture: finds the file of a picture by its id.
        batch: the section that makes a batch of what is sent; None: there is none.
    """

    form: Form
    mode: Component
    canvas: Component
    transparency: Component
    mask_details: Component
    find_picture: FindPicture = no_pictures
    batch: BatchControls | None = None

    @property
    def components(self) -> list[Component]:
        """What an event needs as `inputs` for the form to be read."""
        batch = self.batch.components if self.batch else []
        return [*self.form.components, self.mode, self.canvas, self.transparency, *batch]

    def asks_for_batch(self, values: Values) -> bool:
        """Whether a press of Generate means many pictures."""
        return self.batch is not None and mode_of(values[self.mode]) in OF_PICTURES and self.batch.is_on(values)

    def template(self, values: Values, owner: str, *, has_masks: bool) -> GenerationRequest:
        """What the form asks for with each picture of a batch; another picture stands in for them.

        Args:
            has_masks: whether the pictures bring masks of their own; else Inpaint uses the one on the canvas for all.

        Raises:
            BadRequestError: as `read`.
        """
        mode = mode_of(values[self.mode])
        nested = self.form.fields(values, mode)
        task = {**nested.get("task", {}), "kind": "img2img"}
        if mode == "inpaint":
            blur = _span("task.inpainting.mask_blur_x", task["inpainting"]["mask_blur_x"], MAX_BLUR)
            task["inpainting"] = {**task["inpainting"], "mask_blur_y": blur}
            if not has_masks:
                drawn = canvas.read(values[self.canvas], lambda picture: self.find_picture(picture, owner))
                task["inpainting"]["mask"] = drawn.masked(0, blur)[1]
        try:
            return templated({**nested, "task": task})
        except ValidationError as error:
            raise forms.bad_request(error) from None

    def read(self, values: Values, owner: str = "") -> GenerationRequest:
        """The request that the form shows.

        Args:
            values: as the browser sent them.
            owner: who sent them, for pictures that are named by their id.

        Raises:
            BadRequestError: naming the field and what is wrong with it.
        """
        mode = mode_of(values[self.mode])
        nested = self.form.fields(values, mode)
        task = nested.setdefault("task", {})
        task["kind"] = "txt2img"
        if mode != "txt2img":
            drawn = canvas.read(values[self.canvas], lambda picture: self.find_picture(picture, owner))
            nested["task"] = self._of_picture(task, drawn, mode, values)
        return validated(nested)

    def _of_picture(self, task: Mapping[str, Any], drawn: CanvasValue, mode: Mode, values: Values) -> dict[str, Any]:
        """The task of img2img. A frame that was dragged counts before margins that were typed."""
        options = {**task, "kind": "img2img"}
        inpainting, outpainting = options.pop("inpainting", {}), options.pop("outpainting", None)
        if drawn.frame:
            outpainting = {**(outpainting or {}), **dict.fromkeys(SIDES, 0), **drawn.frame}
        if outpainting:
            options["outpainting"] = outpainting
        is_marked = drawn.mask is not None or drawn.paint is not None
        if mode == "img2img" or (outpainting and not is_marked):
            return {**options, "image": drawn.painted()}
        blur = _span("task.inpainting.mask_blur_x", inpainting["mask_blur_x"], MAX_BLUR)
        percent = _span("mask_transparency", values[self.transparency], MAX_TRANSPARENCY)
        start, mask = drawn.masked(percent if values[self.mask_details] else 0, blur)
        return {**options, "image": start, "inpainting": {**inpainting, "mask": mask, "mask_blur_y": blur}}


def _span(name: str, value: Any, high: float) -> float:
    """A number that a slider sent, 0..high."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= high:
        raise BadRequestError(name, f"should be a number from 0 to {high:g} (it is {value!r})")
    return value
