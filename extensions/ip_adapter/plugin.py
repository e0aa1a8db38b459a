"""The hooks that the program calls first: options, and the object that joins a job. This module needs no torch."""

from webui.extension_api import Dialect, JobContext, Options, hookimpl

from .options import AdapterOptions
from .told_adapters import dialect_of_adapters, is_handed


@hookimpl
def request_options() -> type[Options]:
    return AdapterOptions


@hookimpl
def dialect() -> Dialect:
    return dialect_of_adapters()


@hookimpl
def join_job(job: JobContext) -> object | None:
    options = job.options if isinstance(job.options, AdapterOptions) else AdapterOptions()
    if not options.enabled and not is_handed(job.request.extensions):
        return None
    from .adapter_job import AdapterJob  # loads torch and OpenCV, so only where a picture acts as a prompt

    return AdapterJob(job, options)
