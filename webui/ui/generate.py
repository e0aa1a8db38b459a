"""Starts, follows and stops jobs from the page. The layout of the components is in the tabs.

Following is asynchronous, so that waiting pages occupy no threads.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.components import Component

from webui.domain.errors import WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, Progress
from webui.domain.visitor import PAGE
from webui.ui import markup
from webui.ui.album import Album

if TYPE_CHECKING:
    from webui.engine.engine import Engine
    from webui.engine.generating import GenerationJob
    from webui.jobs.job import JobStatus

LOGGER = logging.getLogger(__name__)
FRAME = 0.2  # seconds that lie at least between two looks of a job on its way
NOTICEABLE = 0.05  # seconds
NOTHING = "Nothing of this page is running."
Updates = dict[Component, Any]


@dataclass(frozen=True, slots=True)
class Results:
    """The components that show a job.

    `shown` holds one dict for each picture of the gallery (text, seed, subseed, file), `chosen` the index of the
    selected one; `job` is the id of this browser's last job and survives a reload of the page; `send` are the buttons
    that hand the selected picture to another tab.
    """

    bar: gr.HTML
    preview: gr.HTML
    status: gr.HTML
    gallery: gr.Gallery
    text: gr.Textbox
    shown: gr.State
    chosen: gr.State
    job: gr.BrowserState
    send: tuple[gr.Button, ...] = ()

    @property
    def all(self) -> list[Component]:
        """The components that a handler which follows a job may change."""
        return [self.bar, self.preview, self.status, self.gallery, self.text, self.shown, self.chosen, self.job]

    def fail(self, text: str) -> Updates:
        """Updates that show a failure."""
        return {self.bar: "", self.preview: "", self.status: markup.message("error", text)}


@dataclass(frozen=True, slots=True)
class Runner:
    """Follows jobs, and has the handler of the button Interrupt."""

    engine: "Engine"
    results: Results
    album: Album
    save_images: bool

    def submit(self, request: GenerationRequest, owner: str) -> "GenerationJob":
        """Put a request of the page into the queue; `owner` tells whose it is."""
        return self.engine.submit(request, save=self.save_images, owner=owner)

    async def follow(self, job: "GenerationJob") -> AsyncIterator[Updates]:
        """Updates of the page until the job has ended, then its pictures, or its error as one sentence."""
        where = self.results
        before: Updates = {where.preview: "", where.status: ""}
        yield {**before, where.job: job.id}
        async for status in job.changes(every=FRAME):
            now = {} if status.ended else self._look(job, status)
            if changed := {component: value for component, value in now.items() if before.get(component) != value}:
                yield changed
            before = {**before, **now}
        try:
            result = await job.wait()
            yield await asyncio.to_thread(self._done, result)
            return
        except WebuiError as error:
            why = str(error)
        except Exception as error:
            LOGGER.exception("job %s failed by a fault in the program", job.id)
            why = f"A fault in the program ({type(error).__name__}); the log has the details."
        made = await asyncio.to_thread(self._pictures, job.images) if job.images else {}
        told = where.fail(why)
        yield {**made, **told, where.status: told[where.status] + markup.notices(job.notices)}

    def _look(self, job: "GenerationJob", now: "JobStatus[Progress, GenerationResult]") -> Updates:
        where = self.results
        if now.state == "held":
            return {where.bar: "", where.preview: "", where.status: markup.message("error", f"Held: {now.reason}")}
        if now.state == "queued":
            reason = now.reason or self.engine.queue.reason
            waits = markup.message("notice", reason) if reason else ""
            return {where.bar: markup.queued_bar(now.position), where.preview: "", where.status: waits}
        bar = markup.progress_bar(now.progress, job.eta())
        return {where.bar: bar, where.preview: markup.preview(now.preview), where.status: markup.notices(now.notices)}

    def _done(self, result: GenerationResult) -> Updates:
        """Updates that show the pictures, how long each phase took, and the notices."""
        count = f"{len(result.images)} picture{'s' if len(result.images) != 1 else ''}"
        times = ", ".join(
            f"{phase} {spent:.1f} s" for phase, spent in result.timings.items() if _is_shown(phase, spent)
        )
        done = f"{'Interrupted: ' if result.interrupted else ''}{count}" + (f" ({times})" if times else "")
        status = markup.message("done", done) + markup.notices(result.notices)
        where = self.results
        pictures = self._pictures(result.images, [self.album.add_picture(image) for image in result.extras])
        return {**pictures, where.bar: "", where.preview: "", where.status: status}

    def _pictures(self, images: Sequence[GeneratedImage], extras: Sequence[Path] = ()) -> Updates:
        made_files = [str(self.album.add(made)) for made in images]
        shown = [
            {"text": made.infotext, "seed": made.request.seed, "subseed": made.subseed, "file": file}
            for made, file in zip(images, made_files, strict=True)
        ]
        return self._gallery(shown, [*made_files, *map(str, extras)])

    def _gallery(self, shown: list[dict[str, Any]], files: list[str]) -> Updates:
        where = self.results
        return {
            where.gallery: gr.update(value=files, selected_index=0 if files else None),
            where.text: shown[0]["text"] if shown else "",
            where.shown: shown,
            where.chosen: 0,
        }

    def job(self, job_id: str | None) -> "GenerationJob | None":
        """The job of that id; None where the engine does not know it, or has forgotten it."""
        return self.engine.job(job_id) if job_id else None

    def interrupt(self, job_id: str | None) -> str:
        """Stop this browser's job; what to say where it has none. Jobs of others are never touched."""
        job = self._own(job_id)
        if job is None:
            return markup.message("notice", NOTHING)
        job.cancel()
        return ""

    def _own(self, job_id: str | None) -> "GenerationJob | None":
        """This browser's job that runs, or else its last one if that has not ended."""
        job = self.job(job_id)
        if job is None:
            return None
        # a user who logged in may have several browsers, so there only the job itself is known to be this one's
        owned = job.owner.startswith(f"{PAGE} ")
        running = [one for one in self.engine.running() if owned and one.owner == job.owner]
        return running[0] if running else None if job.ended else job

    @staticmethod
    def choose(shown: list[dict[str, Any]], selected: gr.SelectData) -> tuple[str, int]:
        """The text of the picture that was clicked, and its index."""
        index = int(selected.index)
        return (shown[index]["text"] if index < len(shown) else ""), index


def _is_shown(phase: str, seconds: float) -> bool:
    """Whether a phase is shown: hooks of extensions (`name: hook`) only where they took noticeable time."""
    return ": " not in phase or seconds >= NOTICEABLE
