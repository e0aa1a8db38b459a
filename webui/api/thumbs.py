"""Cards of model files: their small pictures, what the files say of themselves, and a card as the page of A1111 asks.

A file is found by its name among those that are listed, never by a path.
"""

import html
import io
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from webui.api.late_routes import Router
from webui.api.parts import Parts
from webui.domain.errors import WebuiError
from webui.library.cards import CardKind, cards, listed, preview_of
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary
from webui.library.networks import metadata_of

SIDE = 320  # pixels
MAX_PIXELS = 100 * 10**6
KEPT = "private, max-age=3600"
PAGES: Mapping[str, CardKind] = MappingProxyType(  # A1111's names of the pages of cards
    {
        "lora": "lora",
        "checkpoints": "checkpoint",
        "hypernetworks": "hypernetwork",
        "textual inversion": "embedding",
        "textual_inversion": "embedding",
    }
)


def routes(parts: Parts) -> Router:
    """`/sd_extra_networks/...`."""
    router = Router(prefix="/sd_extra_networks")
    library = parts.engine.library

    @router.get("/thumb")
    def thumb(kind: CardKind | None = None, name: str = "", filename: str = "") -> Response:
        """The picture of a card: by `kind` and `name`, or by the path that a list of A1111's showed (`filename`)."""
        if kind is not None:
            file = next((file for file in listed(library, kind) if file.name == name), None)
        else:
            file = _with_preview(library, filename) if filename else None
        return small_picture(file)

    @router.get("/cover-images")
    def cover_images(page: str = "", item: str = "", index: int = 0) -> Response:
        """The pictures that a file carries inside; the one beside it stands for them."""
        return small_picture(_file(library, page, item) if index == 0 else None)

    @router.get("/metadata")
    def metadata(page: str = "", item: str = "") -> dict[str, Any]:
        """What a network's header says, as JSON in a text; an empty object where there is no such file."""
        file = _file(library, page, item)
        if file is None:
            return {}
        try:
            told = dict(metadata_of(library, file)) if page.lower() == "lora" else {}
        except WebuiError:  # it was damaged since it was listed
            told = {}
        return {"metadata": json.dumps(told, indent=4, ensure_ascii=False)}

    @router.get("/get-single-card")
    def single_card(page: str = "", tabname: str = "", name: str = "") -> dict[str, str]:
        """One card as HTML; empty where there is none of that name."""
        kind = PAGES.get(page.lower())
        found = next((card for card in cards(library, kind) if name in (card.name, card.file)), None) if kind else None
        if found is None:
            return {"html": ""}
        shown = html.escape(found.name)
        return {
            "html": f'<div class="card" data-name="{shown}" data-prompt="{html.escape(found.text)}">'
            f'<span class="name">{shown}</span><span class="description">{html.escape(found.description)}</span></div>'
        }

    return router


def _file(library: ModelLibrary, page: str, item: str) -> ModelFile | None:
    kind = PAGES.get(page.lower())
    files = listed(library, kind) if kind is not None else ()
    return next((file for file in files if item and item in (file.stem, file.name)), None)


def _with_preview(library: ModelLibrary, filename: str) -> ModelFile | None:
    """The listed file whose picture has that path."""
    for kind in dict.fromkeys(PAGES.values()):
        for file in listed(library, kind):
            preview = preview_of(file)
            if preview is not None and str(preview) == filename:
                return file
    return None


def small_picture(file: ModelFile | None) -> Response:
    """The small picture of a model file. Raises HTTPException (404) where it has none."""
    return picture_answer(preview_of(file) if file is not None else None)


def picture_answer(preview: Path | None) -> Response:
    """A picture file made small. Raises HTTPException (404) where there is none, or none that can be opened."""
    picture = None
    if preview is not None:
        try:
            with Image.open(preview) as opened:
                picture = small(opened)
        except (OSError, UnidentifiedImageError, ValueError, SyntaxError, Image.DecompressionBombError):
            picture = None  # what lies there is no picture: the card shows none
    if picture is None:
        raise HTTPException(404, "Not Found")
    return Response(picture, media_type="image/jpeg", headers={"Cache-Control": KEPT})


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
