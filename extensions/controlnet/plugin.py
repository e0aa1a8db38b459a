"""The hooks that the program calls first: options, the object that joins a job, and actions. This module needs no
torch.
"""

from webui.extension_api import Action, Dialect, JobContext, Options, hookimpl

from .actions import ACTIONS
from .options import ControlOptions
from .told_units import dialect_of_units


@hookimpl
def request_options() -> type[Options]:
    return ControlOptions


@hookimpl
def dialect() -> Dialect:
    return dialect_of_units()


@hookimpl
def join_job(job: JobContext) -> object | None:
    options = job.options
    if not isinstance(options, ControlOptions) or not options.enabled:
        return None
    from .control_job import ControlJob  # loads torch and OpenCV, so only where a unit is enabled

    return ControlJob(job, options)


@hookimpl
def actions() -> list[Action]:
    return list(ACTIONS)
