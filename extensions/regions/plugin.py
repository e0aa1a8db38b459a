"""The hooks that the program calls first: options, A1111's words, the object that joins a job. Needs no torch."""

from webui.extension_api import Action, Dialect, JobContext, Options, hookimpl

from .drawn_places import PLACES
from .options import RegionsOptions
from .region_words import dialect_of_regions


@hookimpl
def request_options() -> type[Options]:
    """What a request may ask for."""
    return RegionsOptions


@hookimpl
def dialect() -> Dialect:
    """The arguments and keys of Regional Prompter and of Forge Couple."""
    return dialect_of_regions()


@hookimpl
def actions() -> list[Action]:
    """What the form asks."""
    return [PLACES]


@hookimpl
def join_job(job: JobContext) -> object | None:
    """Join where it is switched on."""
    options = job.options
    if not isinstance(options, RegionsOptions) or not options.enabled:
        return None
    from .regional_job import RegionalJob  # loads torch

    return RegionalJob(job, options)
