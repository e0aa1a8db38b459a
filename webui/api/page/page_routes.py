"""All routes of the page, below `internal/page`. They are no part of the API, so its description leaves them out."""

from collections.abc import Callable

from webui.api import memory_question
from webui.api.late_routes import Router
from webui.api.page import (
    event_stream,
    first_run,
    job_commands,
    job_pictures,
    learn_again,
    learn_noise,
    learn_schedule,
    plot_routes,
    preference_routes,
)
from webui.api.page.feed import Feed
from webui.api.page.history import History
from webui.api.page.picture_files import Found, PictureFiles
from webui.api.parts import Parts
from webui.engine.overview import Overview

FOLDER = "page"  # in the cache folder


def picture_files(parts: Parts) -> PictureFiles:
    """The files of the pictures that the page shows. One for a program, as it removes what an earlier run has left."""
    folder = parts.cache_dir / FOLDER if parts.cache_dir is not None else None
    return PictureFiles(folder, finder(parts.engine.overview), parts.encode)


def routes(parts: Parts, files: PictureFiles) -> Router:
    """The stream of events, the commands, the pictures of jobs, and the settings."""
    history = History(parts.engine.overview, files)
    feed = Feed(parts.engine, history, parts.closing, shows_preview=parts.previews.are_shown)
    router = Router(prefix="/internal/page", include_in_schema=False)
    router.take(event_stream.routes(parts, feed))
    router.take(job_commands.routes(parts))
    router.take(job_pictures.routes(parts, files, history))
    router.take(plot_routes.routes(parts))
    router.take(learn_schedule.routes(parts))
    router.take(learn_again.routes(parts))
    router.take(learn_noise.routes(parts))
    router.take(memory_question.page_routes(parts))
    if parts.preferences is not None:
        router.take(preference_routes.routes(parts.preferences))
        router.take(first_run.routes(parts, parts.preferences))
    return router


def finder(overview: Overview) -> Callable[[str, int], Found]:
    """Finds a picture of a job in memory by the job's id and its index."""

    def find(job_id: str, index: int) -> Found:
        job = overview.find(job_id)
        if job is None:
            return None
        now = job.status
        if now.images:
            return next((image for image in now.images if image.index == index), None)
        others = job.kind.pictures(now.result) if now.result is not None else ()
        return others[index] if 0 <= index < len(others) else None

    return find
