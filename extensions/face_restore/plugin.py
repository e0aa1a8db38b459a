"""The hooks that the program calls first: options, the object that joins a job, and A1111's list. This module needs
neither torch nor OpenCV.
"""

from webui.extension_api import Action, ActionContext, ActionResult, Dialect, JobContext, Options, hookimpl

from .dialect import dialect_of_faces
from .options import FaceOptions, NoOptions
from .restorer_files import usable_restorers


@hookimpl
def request_options() -> type[Options]:
    return FaceOptions


@hookimpl
def dialect() -> Dialect:
    return dialect_of_faces()


@hookimpl
def actions() -> list[Action]:
    routes = ("GET /sdapi/v1/face-restorers",)
    return [Action("restorers", "List the face restorers", NoOptions, list_restorers, routes, light=True)]


@hookimpl
def join_job(job: JobContext) -> object | None:
    options = job.options
    if not isinstance(options, FaceOptions) or not (options.codeformer_visibility or options.gfpgan_visibility):
        return None
    from .face_job import join  # loads torch and OpenCV, so only where faces are restored

    return join(job, options)


def list_restorers(options: NoOptions, context: ActionContext) -> ActionResult:
    """Answers with a list, `[{"name": "GFPGAN", "cmd_dir": "..."}]`; empty where nothing can be used."""
    context.models.refresh()
    found = usable_restorers(context.models)
    return ActionResult(", ".join(one["name"] for one in found) or "none", data=[dict(one) for one in found])
