"""`internal/page/styles/...`: the saved styles for the page: listed with their pictures, applied, saved, deleted."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from webui.api.body import read_as
from webui.api.late_routes import Router
from webui.api.page.messages import picture_urls
from webui.api.page.sent_picture import sent_picture
from webui.api.page.viewer import Viewer, viewer_of
from webui.api.parts import Parts
from webui.api.thumbs import SIDE, picture_answer
from webui.domain.images import safe_open
from webui.domain.request import GenerationRequest
from webui.engine.overview import Overview
from webui.imaging.encoding import file_bytes
from webui.prompt.style_book import ListedStyle, StyleBook
from webui.prompt.style_file import MAX_NAME, MAX_TEXT
from webui.prompt.styles import Style, merge_styles

MOST_STYLES = 5_000  # of one answer
LATEST_JOBS = 200  # in which pictures of styles are looked for
FOR_A_YEAR = "private, max-age=31536000, immutable"  # the address holds the time of the picture's last change


class StyleTexts(BaseModel):
    """A style as the editor sends it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(max_length=MAX_NAME)
    prompt: str = Field("", max_length=MAX_TEXT)
    negative: str = Field("", max_length=MAX_TEXT)

    def style(self) -> Style:
        return Style(self.name, self.prompt, self.negative)


class StyleChange(BaseModel):
    """A style that is saved.

    Attributes:
        file: where it stands, as the list named it; "" for a new style in the first file.
        before: the style that is changed, as the editor got it; null for a new one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    style: StyleTexts
    file: str = Field("", max_length=1000)
    before: StyleTexts | None = None


class StyleName(BaseModel):
    """A style that is deleted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(max_length=MAX_NAME)
    file: str = Field(max_length=1000)


class StyleApplication(BaseModel):
    """Prompts into which styles are to be merged."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str = Field("", max_length=MAX_TEXT)
    negative: str = Field("", max_length=MAX_TEXT)
    names: list[str] = Field(max_length=200)


def routes(parts: Parts, book: StyleBook) -> Router:
    """List, apply, save, delete; the pictures."""
    router = Router(prefix="/internal/page/styles", include_in_schema=False)

    def listing(request: Request) -> dict[str, Any]:
        return _listed(book, made_with_styles(parts.engine.overview, viewer_of(parts, request)))

    @router.get("")
    def listed(request: Request) -> dict[str, Any]:
        return listing(request)

    @router.post("/apply")
    async def apply(request: Request) -> JSONResponse:
        """Both prompts with the styles merged in."""
        asked = await read_as(request, StyleApplication)
        styles = await run_in_threadpool(book.read)
        prompt, negative = merge_styles(asked.prompt, asked.negative, asked.names, styles)
        return JSONResponse({"prompt": prompt, "negative": negative})

    @router.post("")
    async def save(request: Request) -> JSONResponse:
        """Save a style; answers with the list. 409 where a style of the name is there or the style was changed."""
        wanted = await read_as(request, StyleChange)

        def change() -> dict[str, Any]:
            if wanted.before is None:
                book.add(wanted.style.style(), wanted.file)
            else:
                before = wanted.before.style()
                book.change(before.name, wanted.file, wanted.style.style(), before)
            return listing(request)

        return JSONResponse(await run_in_threadpool(change))

    @router.post("/delete")
    async def delete(request: Request) -> JSONResponse:
        """Delete a style; answers with the list. The file before the change is kept beside it."""
        wanted = await read_as(request, StyleName)

        def change() -> dict[str, Any]:
            if not book.delete(wanted.name, wanted.file):
                raise HTTPException(404, f"There is no style {wanted.name!r} in {wanted.file} any more.")
            return listing(request)

        return JSONResponse(await run_in_threadpool(change))

    @router.post("/picture")
    async def picture(request: Request, name: str, file: str) -> JSONResponse:
        """Keep a picture of a style; answers with the list."""
        content = await sent_picture(request)

        def change() -> dict[str, Any]:
            small = safe_open(content).convert("RGB")
            small.thumbnail((SIDE, SIDE))
            book.save_picture(name, file, file_bytes(small, "PNG"))
            return listing(request)

        return JSONResponse(await run_in_threadpool(change))

    @router.get("/thumb")
    def thumb(name: str, file: str) -> Response:
        """The small picture of a style; 404 where it has none."""
        answer = picture_answer(book.picture_of(name, file))
        answer.headers["Cache-Control"] = FOR_A_YEAR
        return answer

    return router


def made_with_styles(overview: Overview, viewer: Viewer) -> dict[str, str]:
    """For each style the address of the last picture that was made with it, among the jobs in memory that are shown."""
    found: dict[str, str] = {}
    for job in overview.ended(LATEST_JOBS):
        work, images = job.work, job.status.images
        if isinstance(work, GenerationRequest) and images and viewer.sees(job.owner):
            for name in work.styles:
                found.setdefault(name, picture_urls(job.id, images[0].index)["thumb"])
    return found


def _listed(book: StyleBook, made: Mapping[str, str]) -> dict[str, Any]:
    styles, problems = book.listed()
    return {
        "files": list(book.files()),
        "styles": [_row(book, one, made) for one in styles[:MOST_STYLES]],
        "problems": [*problems, *([f"Only {MOST_STYLES} styles are shown."] if len(styles) > MOST_STYLES else [])],
    }


def _row(book: StyleBook, one: ListedStyle, made: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": one.style.name, "prompt": one.style.prompt, "negative": one.style.negative_prompt, "file": one.file,
        "hidden_by": one.hidden_by, "thumb": _thumb(book, one) or made.get(one.style.name, ""),
    }  # fmt: skip


def _thumb(book: StyleBook, one: ListedStyle) -> str:
    """The address of a style's picture, relative to the page; "" where it has none."""
    picture = book.picture_of(one.style.name, one.file)
    if picture is None:
        return ""
    named = {"name": one.style.name, "file": one.file, "v": f"{picture.stat().st_mtime_ns:x}"}
    return f"internal/page/styles/thumb?{urlencode(named)}"
