"""Wildcards in prompts: options and the one hook. The language is in `grammar.py`, the files in `files.py`."""

import secrets
from pathlib import Path

from pydantic import Field

from webui.extension_api import BadRequestError, GenerationRequest, JobContext, Options, hookimpl

from .files import WildcardFiles
from .grammar import Chance, expanded

FOLDER = Path(__file__).with_name("wildcards")
DRAWN_BITS = 32


class WildcardOptions(Options):
    """Wildcards act in the prompts of requests that name this extension."""

    enabled: bool = Field(True, description="decide __name__ and {a|b} in prompt and negative prompt by the seed")


@hookimpl
def request_options() -> type[Options]:
    """What a request may ask for."""
    return WildcardOptions


@hookimpl
def join_job(job: JobContext) -> object | None:
    """Join where the request asks for it: without it braces mean nothing, as they always did."""
    options = job.options
    return DecidedPrompts(FOLDER) if isinstance(options, WildcardOptions) and options.enabled else None


class DecidedPrompts:
    """Decides the prompts of one job, once for all its images."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @hookimpl
    def edit_request(self, request: GenerationRequest) -> GenerationRequest | None:
        """The request with its random parts decided. A seed of -1 is drawn now, so that the picture's text repeats."""
        seed = secrets.randbits(DRAWN_BITS) if request.seed < 0 else request.seed
        files, chance = WildcardFiles(self._folder), Chance(seed)
        prompt = expanded(request.prompt, files, chance)
        try:
            negative = expanded(request.negative_prompt, files, chance)
        except BadRequestError as error:
            raise BadRequestError("negative_prompt", error.message) from None
        if (prompt, negative) == (request.prompt, request.negative_prompt):
            return None
        return request.with_(prompt=prompt, negative_prompt=negative, seed=seed)
