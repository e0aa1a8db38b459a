"""The hooks that the program calls first: options, A1111's words, lists, and the object that joins a job. This module
needs neither torch nor OpenCV.
"""

from webui.extension_api import Action, Dialect, JobContext, Options, hookimpl

from .detail_fields import dialect_of_passes
from .detail_lists import ACTIONS
from .options import DetailOptions


@hookimpl
def request_options() -> type[Options]:
    return DetailOptions


@hookimpl
def dialect() -> Dialect:
    return dialect_of_passes()


@hookimpl
def actions() -> list[Action]:
    return list(ACTIONS)


@hookimpl
def join_job(job: JobContext) -> object | None:
    options = job.options
    if not isinstance(options, DetailOptions) or not options.passes or job.request.task.kind == "upscale":
        return None
    from .detail_job import DetailJob  # loads torch and OpenCV, so only where there is a pass

    return DetailJob(job, options)
