"""The canvas on which masks are painted: Gradio's ImageEditor, with bounds on what a browser may send to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components.base import server
from gradio.components.image_editor import AcceptBlobs, EditorDataBlobs, LayerOptions
from PIL import Image, ImageChops

from webui.domain.errors import BadRequestError
from webui.domain.images import MAX_FILE, safe_open
from webui.domain.masks import Mask

MAX_LAYERS = 16
MAX_WAITING = 32  # drawings sent by browsers and not yet used


@dataclass(frozen=True, slots=True)
class MaskEditor:
    """A picture with a brush. What was painted, in any colour and on any layer, is the mask.

    Around the component and not derived from it: Gradio writes a stub file beside every class that extends one of its.
    """

    component: gr.ImageEditor

    @classmethod
    def drawn(cls, **more: Any) -> "MaskEditor":
        """A new one inside the caller's Blocks; `more` is passed on to the component."""
        component = gr.ImageEditor(
            type="pil",
            interactive=True,
            format="png",  # of what the browser sends: the picture must arrive as it is
            sources=("upload", "clipboard"),
            transforms=(),
            layers=LayerOptions(allow_additional_layers=False, layers=["Mask"]),
            brush=gr.Brush(default_size=32, colors=["#ffffff", "#000000"], default_color="#ffffff"),
            buttons=["fullscreen"],
            **more,
        )
        component.accept_blobs = _bounded(component)
        return cls(component)

    def read(self, sent: Mapping[str, Any] | None) -> tuple[Image.Image, Mask | None] | None:
        """The picture and its mask from what an event carries; the mask is None where nothing was painted.

        Args:
            sent: as the browser sent it, before Gradio's own preprocessing; None for an empty canvas.

        Raises:
            BadRequestError: a file that may not be opened.
        """
        if not sent:
            return None
        background, layers = self._sent(sent)
        if background is None:
            return None
        picture = safe_open(background)
        painted = Image.new("L", picture.size)
        for layer in layers:
            alpha = safe_open(layer).convert("RGBA").getchannel("A")
            if alpha.size != picture.size:
                alpha = alpha.resize(picture.size)
            painted = ImageChops.lighter(painted, alpha)
        if painted.getbbox() is None:
            return picture, None
        white = Image.new("L", picture.size, 255)
        return picture, Mask.of(Image.merge("LA", (white, painted)))

    def _sent(self, sent: Mapping[str, Any]) -> tuple[bytes | Path | None, list[bytes | Path]]:
        """Background and layers: blobs that came before the event, or files that the server itself put there."""
        if sent.get("id") is not None:
            blobs: EditorDataBlobs | None = self.component.blob_storage.pop(sent["id"], None)
            if blobs is None:
                raise BadRequestError("image", "the drawing did not arrive; try again")
            return blobs.background, [layer for layer in blobs.layers if layer]
        return _path(sent.get("background")), [path for path in map(_path, sent.get("layers") or ()) if path]


def _bounded(component: gr.ImageEditor) -> Any:
    """The component's own receiver of drawings, for as many, as large and as deep ones as are sensible."""
    receive = component.accept_blobs

    @server  # type: ignore[untyped-decorator]  # Gradio has no types
    def accept_blobs(data: AcceptBlobs) -> None:
        index = data.data["index"]
        layer = int(index) if index and str(index) != "null" else 0
        if not 0 <= layer < MAX_LAYERS or len(data.files[0][1]) > MAX_FILE:
            raise gr.Error("The drawing is too large.", print_exception=False)
        while len(component.blob_storage) >= MAX_WAITING:
            component.blob_storage.pop(next(iter(component.blob_storage)))
        receive(data)

    return accept_blobs


def _path(file: Mapping[str, Any] | None) -> Path | None:
    return Path(file["path"]) if file and file.get("path") else None
