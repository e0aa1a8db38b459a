"""The hooks of this extension. The work is in the modules beside it; those that need torch are loaded with a job."""

from webui.extension_api import Dialect, JobContext, Options, hookimpl

from .options import LoraOptions, dialect_of_block_weights


@hookimpl
def request_options() -> type[Options]:
    return LoraOptions


@hookimpl
def dialect() -> Dialect:
    return dialect_of_block_weights()


@hookimpl
def join_job(job: JobContext) -> object | None:
    if job.request.disable_extra_networks:
        return None
    from .member import Member  # torch

    return Member(job, job.options if isinstance(job.options, LoraOptions) else None)
