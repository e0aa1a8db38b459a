"""The doors of the extension: options, the object that joins a job, and A1111's further routes. No torch here."""

from webui.extension_api import Action, Dialect, JobContext, Options, hookimpl

from .actions import ACTIONS
from .options import ControlOptions


@hookimpl
def request_options() -> type[Options]:
    return ControlOptions


@hookimpl
def dialect() -> Dialect:
    """The second name is that of A1111's script for films: clients look for it before they send units."""
    return Dialect(script_names=("ControlNet", "ControlNet m2m"))


@hookimpl
def join_job(job: JobContext) -> object | None:
    options = job.options
    if not isinstance(options, ControlOptions) or not options.enabled:
        return None
    from .job import ControlJob  # torch and OpenCV, only where a unit is enabled

    return ControlJob(job, options)


@hookimpl
def actions() -> list[Action]:
    return list(ACTIONS)
