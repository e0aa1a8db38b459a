"""Wildcards in prompts: options and the hooks. The language is in `grammar.py`, the files in `files.py`."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import ConfigDict, Field

from webui.extension_api import (
    BadRequestError,
    Dialect,
    GenerationRequest,
    JobContext,
    Options,
    Word,
    form_hint,
    hint,
    hookimpl,
)

from .files import WildcardFiles
from .grammar import Chance, expanded

FOLDER = Path(__file__).with_name("wildcards")
TEMPLATE, NEGATIVE_TEMPLATE = "Template", "Negative Template"  # keys of Dynamic Prompts
MAX_TEMPLATE = 32_000  # characters


class WildcardOptions(Options):
    """Wildcards act in the prompts of requests that name this extension."""

    model_config = ConfigDict(json_schema_extra=form_hint(summary="by the seed"))

    enabled: bool = Field(
        True,
        description="decide __name__ and {a|b} in prompt and negative prompt by the seed",
        json_schema_extra=hint(label="Wildcards in the prompt boxes"),
    )
    from_template: bool = Field(
        False,
        description="decide the two templates below, instead of what the prompt boxes hold",
        json_schema_extra=hint(label="Use the templates instead"),
    )
    template: str = Field(
        "",
        max_length=MAX_TEMPLATE,
        description="a prompt with wildcards; that of a pasted picture",
        json_schema_extra=hint(control="lines", when={"from_template": [True]}),
    )
    negative_template: str = Field(
        "",
        max_length=MAX_TEMPLATE,
        description="the same for the negative prompt",
        json_schema_extra=hint(control="lines", when={"from_template": [True]}),
    )


@hookimpl
def request_options() -> type[Options]:
    """What a request may ask for."""
    return WildcardOptions


@hookimpl
def dialect() -> Dialect:
    """The templates in infotexts. A pasted picture is made of its own prompt, unless the user wants its template."""
    kept = {"enabled": False}
    return Dialect(
        infotext=(
            Word(name=TEMPLATE, asks=True, option="template", otherwise={**kept}),
            Word(name=NEGATIVE_TEMPLATE, asks=True, option="negative_template", otherwise={**kept}),
        )
    )


@hookimpl
def join_job(job: JobContext) -> object | None:
    """Join where the request asks for it: without it braces mean nothing, as they always did."""
    options = job.options
    if not isinstance(options, WildcardOptions) or not (options.enabled or options.from_template):
        return None
    return DecidedPrompts(FOLDER, options)


class DecidedPrompts:
    """Decides the prompts of one job, for each image by its own seed."""

    def __init__(self, folder: Path, options: WildcardOptions | None = None) -> None:
        self._folder = folder
        self._options = options or WildcardOptions()
        self._files: WildcardFiles | None = None
        self._fields: dict[int, dict[str, str]] = {}

    @hookimpl
    def edit_image_request(self, request: GenerationRequest, index: int) -> GenerationRequest | None:
        """The request of an image with its random parts decided."""
        self._files = files = self._files or WildcardFiles(self._folder)
        template, negative_template = self._templates(request)
        chance = Chance(request.seed)
        prompt = expanded(template, files, chance)
        try:
            negative = expanded(negative_template, files, chance)
        except BadRequestError as error:
            raise BadRequestError("negative_prompt", error.message) from None
        told = {TEMPLATE: (template, prompt), NEGATIVE_TEMPLATE: (negative_template, negative)}
        self._fields[index] = {key: raw for key, (raw, decided) in told.items() if raw != decided}
        if (prompt, negative) == (request.prompt, request.negative_prompt):
            return None
        return request.with_(prompt=prompt, negative_prompt=negative)

    @hookimpl
    def image_fields(self, index: int) -> Mapping[str, str] | None:
        """What an image's prompts were decided from."""
        return self._fields.get(index) or None

    def _templates(self, request: GenerationRequest) -> tuple[str, str]:
        options = self._options
        if options.from_template:
            return options.template, options.negative_template
        return request.prompt, request.negative_prompt
