"""Small pictures for the cards of model files: the preview beside a file, found by the file's name, never by a path."""

import io

from fastapi import APIRouter
from PIL import Image, ImageOps, UnidentifiedImageError
from starlette.responses import Response

from webui.api.parts import Parts
from webui.library.cards import CardKind, listed, preview_of

SIDE = 320  # pixels
MAX_PIXELS = 100 * 10**6
KEPT = "private, max-age=3600"


def routes(parts: Parts) -> APIRouter:
    """`GET /sd_extra_networks/thumb?kind=lora&name=folder/name.safetensors`."""
    router = APIRouter()
    library = parts.engine.library

    @router.get("/sd_extra_networks/thumb")
    def thumb(kind: CardKind, name: str) -> Response:
        file = next((file for file in listed(library, kind) if file.name == name), None)
        preview = preview_of(file) if file is not None else None
        picture = None
        if preview is not None:
            try:
                with Image.open(preview) as opened:
                    picture = small(opened)
            except (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombError):
                picture = None  # what lies there is no picture: the card shows none
        if picture is None:
            return Response(status_code=404)
        return Response(picture, media_type="image/jpeg", headers={"Cache-Control": KEPT})

    return router


def small(picture: Image.Image) -> bytes | None:
    """A JPEG of at most SIDE x SIDE pixels; None for a picture that is too large to open."""
    if picture.width * picture.height > MAX_PIXELS:
        return None
    picture.draft("RGB", (SIDE, SIDE))
    turned = ImageOps.exif_transpose(picture).convert("RGB")
    turned.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    turned.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
