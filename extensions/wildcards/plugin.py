"""Wildcards in prompts: the hooks. The language is in `grammar.py`, what it gives in `draws.py`."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from webui.extension_api import (
    Action,
    ActionContext,
    ActionResult,
    Dialect,
    GenerationRequest,
    JobContext,
    Options,
    PlannedImage,
    hookimpl,
)

from .files import WildcardFiles
from .options import NEGATIVE_TEMPLATE, TEMPLATE, WildcardOptions, dialect_of_wildcards
from .picture_prompts import Wishes, pictures

FOLDER = Path(__file__).with_name("wildcards")


@hookimpl
def request_options() -> type[Options]:
    """What a request may ask for."""
    return WildcardOptions


@hookimpl
def dialect() -> Dialect:
    """What A1111's extension calls it."""
    return dialect_of_wildcards()


@hookimpl
def actions() -> list[Action]:
    """What the page completes in prompts after two underscores."""
    return [Action("prompt_words", "Names of wildcards", Options, prompt_words, light=True)]


def prompt_words(options: Options, context: ActionContext) -> ActionResult:
    """The names of all wildcards."""
    return ActionResult(data=[{"kind": "wildcard", "name": name} for name in WildcardFiles(FOLDER).names])


@hookimpl
def join_job(job: JobContext) -> object | None:
    """Join where the request asks for it: without it braces mean nothing, as they always did."""
    options = job.options
    if not isinstance(options, WildcardOptions) or not (options.enabled or options.from_template):
        return None
    return DecidedPrompts(FOLDER, options, job.notice)


class DecidedPrompts:
    """Decides the prompts of one job, for each image by its own seed."""

    def __init__(
        self, folder: Path, options: WildcardOptions | None = None, notice: Callable[[str], None] = lambda text: None
    ) -> None:
        self._folder = folder
        self._options = options or WildcardOptions()
        self._notice = notice
        self._templates = ("", "")
        self._images: Sequence[PlannedImage] = ()

    @hookimpl
    def plan_images(self, request: GenerationRequest, images: Sequence[PlannedImage]) -> Sequence[PlannedImage] | None:
        """The images with their random parts decided; in a combinatorial request, one of each combination."""
        options, files = self._options, WildcardFiles(self._folder)
        self._templates = (request.prompt, request.negative_prompt)
        if options.from_template:
            self._templates = (options.template, options.negative_template)
        wishes = Wishes(
            options.combinatorial, options.batches, options.max_pictures, options.fixed_seed, options.unlink_seed,
            request.subseed_strength > 0, options.squash_spaces,
        )  # fmt: skip
        made = pictures(*self._templates, images, wishes, files)
        if files.lack:
            self._notice(files.lack)
        self._images = made[:1] if options.only_first else made
        return self._images

    @hookimpl
    def image_fields(self, index: int) -> Mapping[str, str] | None:
        """What an image's prompts were decided from."""
        if not self._options.write_template or index >= len(self._images):
            return None
        template, negative = self._templates
        image = self._images[index]
        told = {TEMPLATE: (template, image.prompt), NEGATIVE_TEMPLATE: (negative, image.negative_prompt)}
        return {key: raw for key, (raw, decided) in told.items() if raw != decided} or None
