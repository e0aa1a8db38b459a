"""Changes guidance, and what the network does for it: options and hooks. The work is in the modules beside."""

from webui.extension_api import Dialect, JobContext, Options, hookimpl

from .guidance_words import dialect_of_parts, fields_of
from .options import GuidanceOptions


@hookimpl
def request_options() -> type[Options]:
    """What a request may ask for."""
    return GuidanceOptions


@hookimpl
def dialect() -> Dialect:
    """A1111's words for the parts."""
    return dialect_of_parts()


@hookimpl
def join_job(job: JobContext) -> object | None:
    """Join where something is switched on."""
    options = job.options
    if not isinstance(options, GuidanceOptions) or not fields_of(options):
        return None
    from .guidance_job import join  # loads torch

    return join(job, options)
