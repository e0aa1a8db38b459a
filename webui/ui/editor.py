"""The canvas for masks and colours: Gradio's ImageEditor, with limits for the drawings that a browser may send."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components.base import server
from gradio.components.image_editor import AcceptBlobs, EditorDataBlobs, LayerOptions
from PIL import Image

from webui.domain.errors import BadRequestError
from webui.domain.images import MAX_FILE, Picture, safe_open
from webui.domain.masks import Mask
from webui.imaging.sketch import paint_alpha, painted_over

MAX_LAYERS = 16
MAX_WAITING = 32  # most drawings that browsers have sent and no event has used yet


MASKING = ("#ffffff", "#000000")
COLOURING = ("#ffffff", "#000000", "#e03131", "#f08c00", "#ffd43b", "#2f9e44", "#1971c2", "#7048e8", "#8d5524")


@dataclass(frozen=True, slots=True)
class Canvas:
    """A picture with a brush. Some tabs take what is painted as a mask, one takes it as colours.

    It wraps the component instead of extending its class, because Gradio writes a stub file beside every such class.
    """

    component: gr.ImageEditor

    @classmethod
    def drawn(cls, colours: Sequence[str], layer: str, **more: Any) -> "Canvas":
        """A new one inside the caller's Blocks.

        Args:
            colours: the colours of the brush; the first is selected.
            layer: the name of what is painted.
            more: passed on to the component.
        """
        component = gr.ImageEditor(
            type="pil",
            interactive=True,
            format="png",  # for what the browser sends, so that the picture arrives unchanged
            sources=("upload", "clipboard"),
            transforms=(),
            layers=LayerOptions(allow_additional_layers=False, layers=[layer]),
            brush=gr.Brush(default_size=32, colors=[*colours], default_color=colours[0]),
            buttons=["fullscreen"],
            **more,
        )
        component.accept_blobs = _bounded(component)
        return cls(component)

    def masked(self, sent: Mapping[str, Any] | None) -> tuple[Image.Image, Mask | None] | None:
        """The picture, and as mask what was painted in any colour; the mask is None where nothing was painted.

        Args:
            sent: as the browser sent it, before Gradio's own preprocessing; None for an empty canvas.

        Raises:
            BadRequestError: a file that may not be opened.
        """
        found = self._opened(sent)
        if found is None:
            return None
        picture, layers = found
        painted = paint_alpha(picture.size, layers)
        if painted.getbbox() is None:
            return picture, None
        white = Image.new("L", picture.size, 255)
        return picture, Mask.of(Image.merge("LA", (white, painted)))

    def sketched(self, sent: Mapping[str, Any] | None) -> tuple[Image.Image, Image.Image] | None:
        """The picture, transparent parts on white, and the same with the paint on it; both RGB. As `masked`."""
        found = self._opened(sent)
        if found is None:
            return None
        try:
            original = Picture.of(found[0]).open()
        except ValueError as error:
            raise BadRequestError("image", str(error)) from None
        return original, painted_over(original, found[1])

    def _opened(self, sent: Mapping[str, Any] | None) -> tuple[Image.Image, list[Image.Image]] | None:
        if not sent:
            return None
        background, layers = self._sent(sent)
        return None if background is None else (safe_open(background), [safe_open(layer) for layer in layers])

    def _sent(self, sent: Mapping[str, Any]) -> tuple[bytes | Path | None, list[bytes | Path]]:
        """Background and layers: blobs that arrived before the event, or files that the server itself has shown."""
        if sent.get("id") is not None:
            blobs: EditorDataBlobs | None = self.component.blob_storage.pop(sent["id"], None)
            if blobs is None:
                raise BadRequestError("image", "the drawing did not arrive; try again")
            return blobs.background, [layer for layer in blobs.layers if layer]
        return _path(sent.get("background")), [path for path in map(_path, sent.get("layers") or ()) if path]


def _bounded(component: gr.ImageEditor) -> Any:
    """The component, whose receiver of drawings refuses too many, too large and too deeply nested ones."""
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
