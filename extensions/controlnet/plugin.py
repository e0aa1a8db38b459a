"""The doors of the extension: options, the object that joins a job, and A1111's further routes. No torch here."""

from webui.extension_api import Action, JobContext, Options, hookimpl

from .actions import ACTIONS
from .options import ControlOptions


@hookimpl
def request_options() -> type[Options]:
    return ControlOptions


@hookimpl
def join_job(job: JobContext) -> object | None:
    options = job.options
    if not isinstance(options, ControlOptions) or not options.enabled:
        return None
    from .control_job import ControlJob  # torch and OpenCV, only where a unit is enabled

    return ControlJob(job, options)


@hookimpl
def actions() -> list[Action]:
    return list(ACTIONS)
