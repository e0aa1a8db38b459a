"""The hooks that the program calls first: options, A1111's words, the object that joins a job. Needs no torch."""

from webui.extension_api import Dialect, JobContext, Options, hookimpl

from .options import TilesOptions
from .told import dialect_of_tiles


@hookimpl
def request_options() -> type[Options]:
    """What a request may ask for."""
    return TilesOptions


@hookimpl
def dialect() -> Dialect:
    """A1111's arguments by position, and the key of infotexts."""
    return dialect_of_tiles()


@hookimpl
def join_job(job: JobContext) -> object | None:
    """Join where it is switched on."""
    options = job.options
    if not isinstance(options, TilesOptions) or not options.enabled:
        return None
    from .tiled_job import TiledJob  # loads torch

    return TiledJob(job, options)
