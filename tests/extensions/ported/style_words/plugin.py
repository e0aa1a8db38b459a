"""A1111's Style Selector on the hooks of this program: a style for the job, a random one, or every style in turn."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pydantic import ConfigDict, Field

from webui.extension_api import (
    Action,
    ActionContext,
    ActionResult,
    Dialect,
    Frame,
    GenerationRequest,
    JobContext,
    Options,
    PlannedImage,
    Word,
    form_hint,
    hint,
    hookimpl,
)

from .styles import STYLES, drawn, styled

NAMES = tuple(STYLES)


class StyleSettings(Options):
    usual: str = Field("ink", description="style that is chosen first", examples=[*NAMES])


class StyleOptions(Options):
    model_config = ConfigDict(json_schema_extra=form_hint(group="quality", summary="{style}"))

    enabled: bool = Field(True, json_schema_extra=hint(control="hidden"))
    randomize: bool = Field(False, description="a style that follows from the seed")
    randomize_each: bool = Field(False, description="of a random style, another for each picture")
    all_styles: bool = Field(False, description="a picture in every style")
    style: str = Field("", description="empty: the one of the settings", examples=[*NAMES])


@hookimpl
def request_options() -> type[StyleOptions]:
    return StyleOptions


@hookimpl
def settings_options() -> type[StyleSettings]:
    return StyleSettings


@hookimpl
def dialect() -> Dialect:
    return Dialect(
        script_names=("Style Selector for SDXL 1.0",),
        script_args=("enabled", "randomize", "randomize_each", "all_styles", "style"),
        infotext=(
            Word(name="Style Selector Enabled", asks=True, option="enabled", codec="boolean"),
            Word(name="Style Selector Style", option="style"),
        ),
    )


@hookimpl
def actions() -> list[Action]:
    return [Action("styles", "List the styles", Options, styles, ("GET /style_words/styles",), light=True)]


def styles(options: Options, context: ActionContext) -> ActionResult:
    return ActionResult(", ".join(NAMES), data=[*NAMES])


@hookimpl
def frames() -> list[Frame]:
    return [Frame("palette", "Styles", "palette.js", "palette.css", sees_prompts=True)]


@hookimpl
def join_job(job: JobContext) -> object | None:
    options, settings = job.options, job.settings
    if not isinstance(options, StyleOptions) or not isinstance(settings, StyleSettings) or not options.enabled:
        return None
    return StyledJob(options, options.style or settings.usual, job)


class StyledJob:
    """The styles of one job."""

    def __init__(self, options: StyleOptions, style: str, job: JobContext) -> None:
        self._options = options
        self._style = style
        self._job = job
        self._chosen: tuple[str, ...] = ()

    @hookimpl
    def plan_images(self, request: GenerationRequest, images: Sequence[PlannedImage]) -> Sequence[PlannedImage] | None:
        if not self._options.randomize and self._style not in STYLES:
            self._job.notice(f"there is no style {self._style!r}; there are: {', '.join(NAMES)}")
            return None
        pairs = [(image, style) for image in images for style in self._styles(request, image)]
        self._chosen = tuple(style for _, style in pairs)
        return [in_style(image, style) for image, style in pairs]

    @hookimpl
    def image_fields(self, index: int) -> Mapping[str, str] | None:
        if index >= len(self._chosen):
            return None
        return {"Style Selector Enabled": "True", "Style Selector Style": self._chosen[index]}

    @hookimpl
    def file_words(self, index: int) -> Mapping[str, str] | None:
        return {"style_words": self._chosen[index]} if index < len(self._chosen) else None

    def _styles(self, request: GenerationRequest, image: PlannedImage) -> tuple[str, ...]:
        """The styles in which an image is made."""
        if self._options.all_styles:
            return NAMES
        if self._options.randomize:
            return (drawn(image.seed if self._options.randomize_each else request.seed),)
        return (self._style,)


def in_style(image: PlannedImage, style: str) -> PlannedImage:
    prompt, negative = styled(style, image.prompt, image.negative_prompt)
    return replace(image, prompt=prompt, negative_prompt=negative)
