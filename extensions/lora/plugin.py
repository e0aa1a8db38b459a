"""The hooks of this extension. The work is in the modules beside it; those that need torch are loaded with a job."""

from webui.extension_api import JobContext, hookimpl


@hookimpl
def join_job(job: JobContext) -> object | None:
    if job.request.disable_extra_networks:
        return None
    from .member import Member  # torch

    return Member(job)
