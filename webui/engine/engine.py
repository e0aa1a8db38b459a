"""The front of the program: takes requests, keeps the queue, watches the back, saves what it makes. Loads no torch."""

import asyncio
import logging
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeVar

from pydantic import ValidationError

from webui.domain.errors import BadRequestError, BusyError, Cancelled, UnknownModelError, UnusableFileError, WebuiError
from webui.domain.extensions import ActionOutcome, ActionProgress
from webui.domain.request import GenerationRequest, Txt2Img
from webui.domain.result import GeneratedImage, GenerationResult, Notice, Progress
from webui.executors.config import WorkerConfig
from webui.executors.protocol import (
    Event,
    Executor,
    Failed,
    Finished,
    ImageMade,
    JobEvent,
    OnEvent,
    Progressed,
    Ready,
    Started,
)
from webui.jobs.actions import ActionBoard, ActionJob
from webui.jobs.job import Job
from webui.jobs.queue import JobQueue
from webui.jobs.starting_values import StartingValues
from webui.jobs.store import JobStore, StoredImage, StoredJob
from webui.library.choice import first_choice
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary
from webui.library.upscalers import check_upscalers
from webui.plugins.catalog import Catalog

__all__ = ["Engine", "ImageSaver", "Job"]

ATTEMPTS = 2  # a job during which the program ended so often is not begun again

Folder = Literal["txt2img-images", "img2img-images", "extras-images"]
FOLDERS: Mapping[str, Folder] = MappingProxyType({"txt2img": "txt2img-images", "upscale": "extras-images"})

Found = TypeVar("Found")

log = logging.getLogger(__name__)


class ImageSaver(Protocol):
    """Writes images to files; see `webui.output.store`."""

    def save(
        self,
        image: GeneratedImage,
        *,
        folder: Folder,
        job: GenerationRequest | None = None,
    ) -> Path:
        """Write one and return its path; `job` is the request of the whole job. Raises WebuiError."""


class Engine:
    """Everything the doors need. Thread-safe.

    Jobs are kept in the store before they are sent to the back, images in files and in the store before anybody is
    told of them; so whatever was reported outlives a crash.
    """

    def __init__(
        self,
        executor: Callable[[OnEvent], Executor],
        library: ModelLibrary,
        store: JobStore,
        images: ImageSaver,
        *,
        data_dir: Path,
        max_queue: int,
        resume: bool = True,
        extensions: Catalog | None = None,
    ) -> None:
        """Take up what an earlier run left; the worker starts meanwhile.

        Args:
            executor: makes the back, given the function that hears its events.
            store: closed by `close`.
            data_dir: where `starting_values.json` stands.
            max_queue: how many jobs may wait besides the one in work.
            resume: whether jobs that an earlier run left unfinished are done now.
            extensions: those that requests may name.
        """
        self.library = library
        self.extensions = extensions or Catalog()
        self._actions = ActionBoard(max_queue)
        self._store = store
        self._images = images
        self._starting = StartingValues(data_dir / "starting_values.json")
        self._queue = JobQueue(max_queue)
        self._submitting = threading.RLock()  # the queue, the store and the executor get jobs in one order
        self._closing = False
        self._loads = ThreadPoolExecutor(1, "load")  # so that waiting loads do not use up the event loop's threads
        self._executor = executor(self._hear)
        self._control = _Control(self._executor, self._queue)
        if resume:
            self._resume()

    def submit(self, request: GenerationRequest, *, save: bool, job_id: str | None = None) -> Job:
        """Put a request into the queue and return at once. The same id and request again give the same job.

        Args:
            save: write its images to files as they are made.

        Raises:
            BusyError: too many jobs wait, or the program is stopping.
            UnknownModelError, UnusableFileError: the checkpoint or VAE cannot be used.
            BadRequestError: the refiner cannot be used, or `job_id` is that of another job.
        """
        request = self._completed(request)
        with self._submitting:
            if self._closing:
                raise BusyError("the program is stopping; try again when it runs again")
            known = self._queue.get(job_id) if job_id else None
            if known is not None:
                if known.request != request:
                    raise BadRequestError("job_id", f"{job_id!r} is the id of another job; choose another")
                return known
            job = Job(job_id or uuid.uuid4().hex, request, self._control, save=save)
            self._queue.add(job)
            try:
                self._store.add(job.id, "generation", request.model_dump_json(), save=save, created=job.created)
            except WebuiError:
                self._queue.remove(job)
                raise
            self._executor.submit(job.id, request)
        return job

    def job(self, job_id: str) -> Job | None:
        """A job that waits, runs or ended not long ago."""
        return self._queue.get(job_id)

    def current(self) -> Job | None:
        """The job that runs."""
        return self._queue.current()

    def queued(self) -> tuple[Job, ...]:
        """Those that wait, in order."""
        return self._queue.queued()

    def act(self, extension: str, action: str, options: Mapping[str, Any]) -> ActionJob:
        """Start an action of an extension and return at once. It takes its turn among the jobs, unless it is light.

        Raises:
            BadRequestError: there is no such action, or the options do not fit.
            BusyError: too many wait, or the program is stopping.
        """
        job = ActionJob(self.extensions.call(extension, action, options), self._executor.cancel)
        with self._submitting:
            if self._closing:
                raise BusyError("the program is stopping; try again when it runs again")
            self._actions.add(job)
            self._executor.submit(job.id, job.call)
        return job

    def action(self, job_id: str) -> ActionJob | None:
        """An action that waits, runs or ended not long ago."""
        return self._actions.get(job_id)

    def interrupt(self) -> None:
        """Stop the running job within a step; its images so far are kept. Others go on."""
        if (job := self.current()) is not None:
            job.cancel()

    def skip(self) -> None:
        """End the batch in work of the running job."""
        if (job := self.current()) is not None:
            job.skip()

    def load(self, checkpoint: str) -> None:
        """Load a checkpoint (any alias) before the next job, and wait for it.

        Raises:
            UnknownModelError, UnusableFileError: it cannot be used.
            WebuiError: loading failed, or the program is stopping.
        """
        self._executor.load(self._find(checkpoint).name)

    async def aload(self, checkpoint: str) -> None:
        """`load` for event loops; any number of loads together hold one thread."""
        await asyncio.get_running_loop().run_in_executor(self._loads, self.load, checkpoint)

    def renew(self, config: WorkerConfig) -> None:
        """Go on with a new worker of these settings, without ending the job in work; returns at once."""
        self._executor.renew(config)

    def starting_values(self) -> GenerationRequest:
        """What a new form starts with; its checkpoint is that of requests which name none."""
        return self._starting.get()

    def change_starting_values(self, changes: Mapping[str, Any]) -> None:
        """Set starting values by dotted name (`noise.eta`), for good: all or, when one is wrong, none.

        Raises:
            BadRequestError: naming the field.
            UnknownModelError, UnusableFileError: the checkpoint cannot be used.
            WebuiError: the file cannot be written.
        """
        if isinstance(checkpoint := changes.get("checkpoint"), str) and checkpoint:
            self._find(checkpoint)
        self._starting.change(changes)

    def history(self, *, limit: int = 100, before: int | None = None) -> tuple[StoredImage, ...]:
        """Saved images, the newest first; `before` is the last `seq` of the page before this one."""
        return self._store.images(limit=limit, before=before)

    def close(self) -> None:
        """End the back and the store. Jobs that have not ended fail here, and are done at the next start."""
        with self._submitting:
            if self._closing:
                return
            self._closing = True
        self._executor.close()
        self._loads.shutdown(wait=False, cancel_futures=True)
        self._store.close()

    def _completed(self, request: GenerationRequest) -> GenerationRequest:
        """The request with its checkpoint named, every file and extension that it names being there and usable."""
        self.extensions.check(request)
        self._refreshed(lambda: check_upscalers(self.library, request))
        if request.task.kind == "upscale":  # needs no checkpoint
            return request
        name = request.checkpoint or self.starting_values().checkpoint or self._first_choice().name
        checkpoint = self._find(name)
        self._refreshed(lambda: self.library.vae(request.vae, checkpoint))
        for field, alias in _further_checkpoints(request).items():
            try:
                self._find(alias)
            except (UnknownModelError, UnusableFileError) as error:
                raise BadRequestError(field, str(error).removeprefix("checkpoint: ")) from error
        return request if request.checkpoint else request.with_(checkpoint=name)

    def _find(self, alias: str) -> ModelFile:
        return self._refreshed(lambda: self.library.checkpoint(alias))

    def _first_choice(self) -> ModelFile:
        return self._refreshed(lambda: first_choice(self.library))

    def _refreshed(self, look: Callable[[], Found]) -> Found:
        """What `look` finds in the library, if need be after a look at the disk: a file may just have been copied."""
        try:
            return look()
        except (UnknownModelError, UnusableFileError, BadRequestError):
            self.library.refresh()
            return look()

    def _resume(self) -> None:
        """Queue again, in order, what an earlier run of the program left."""
        for row in self._store.unfinished():
            if (request := _read(row.work)) is None:
                self._store.note_ended(row.id, "failed", "the program was stopped; this version cannot read the job")
                continue
            job = Job(row.id, request, self._control, save=row.save, created=row.created)
            self._queue.add(job, whatever=True)
            if (refusal := self._refusal(row, request)) is not None:
                self._hear(Failed(job.id, refusal))
            else:
                self._store.note_queued(job.id)
                self._executor.submit(job.id, job.request)

    def _refusal(self, row: StoredJob, request: GenerationRequest) -> WebuiError | None:
        """Why a job of an earlier run is not done now."""
        if not row.save:
            return WebuiError("the program was stopped; whoever waited for these unsaved images is gone")
        if row.state == "running" and row.attempts >= ATTEMPTS:
            return WebuiError(f"the program ended {row.attempts} times during this job; it is not tried again")
        try:
            self._completed(request)
        except WebuiError as error:
            return error
        return None

    def _hear(self, event: Event) -> None:
        """Called by the executor, in its thread."""
        if isinstance(event, Ready):
            self.extensions.note_worker(event.extensions)
            return
        if (action := self._actions.get(event.job_id)) is not None:
            self._hear_action(action, event)
            return
        job = self._queue.get(event.job_id)
        if job is None or job.ended:
            log.debug("an event of job %s, which is not in the queue: %s", event.job_id, type(event).__name__)
            return
        match event:
            case Started():
                with self._noticing(job):
                    self._store.note_started(job.id)
                job.note_started()
            case Progressed(_, Progress() as progress):
                job.note_progress(progress)
            case ImageMade(_, image):
                job.note_image(self._saved(job, image))
            case Finished(_, GenerationResult() as result):
                self._finish(job, result)
            case Failed(_, error, traceback):
                self._fail(job, error, traceback)
            case Progressed() | Finished():
                log.error("job %s of a generation was told what an action has made", job.id)

    def _hear_action(self, action: ActionJob, event: JobEvent) -> None:
        match event:
            case Started():
                action.note_started()
            case Progressed(_, ActionProgress() as progress):
                action.note_progress(progress)
            case Finished(_, ActionOutcome() as outcome):
                if outcome.files:
                    self.library.refresh()
                action.note_end(outcome)
            case Failed(_, error, traceback):
                if not isinstance(error, WebuiError):
                    log.error("%s of %s failed: %s\n%s", action.call.action, action.call.extension, error, traceback)
                action.note_end(error)
            case _:
                log.debug("an event of an action: %s", type(event).__name__)

    def _finish(self, job: Job, result: GenerationResult) -> None:
        reported = {image.index: image.path for image in job.images}
        images = tuple(
            replace(image, path=reported[image.index]) if image.index in reported else self._saved(job, image)
            for image in result.images
        )
        with self._noticing(job):
            self._store.note_ended(job.id, "done")
        job.note_end(replace(result, images=images))
        self._queue.trim()

    def _fail(self, job: Job, error: Exception, traceback: str) -> None:
        if not isinstance(error, WebuiError):
            log.error("job %s failed: %s\n%s", job.id, error, traceback)
        if not self._closing:  # what the end of the program broke off is done again at its next start
            with self._noticing(job):
                self._store.note_ended(job.id, "cancelled" if isinstance(error, Cancelled) else "failed", str(error))
        job.note_end(error)
        self._queue.trim()

    def _saved(self, job: Job, image: GeneratedImage) -> GeneratedImage:
        """The image with the path of its file; one that cannot be saved is kept with a notice."""
        if not job.save:
            return image
        folder = FOLDERS.get(job.request.task.kind, "img2img-images")
        try:
            path = str(self._images.save(image, folder=folder, job=job.request))
        except Exception as error:
            log.exception("image %d of job %s was not saved", image.index, job.id)
            text = str(error) if isinstance(error, WebuiError) else f"{type(error).__name__}: {error}"
            job.note_notice(Notice("output", f"image {image.index + 1} was not saved: {text}"))
            return image
        with self._noticing(job):
            self._store.add_image(job.id, path, image.infotext, image.request.seed)
        return replace(image, path=path)

    @contextmanager
    def _noticing(self, job: Job) -> Iterator[None]:
        """A failing database is told beside the images; it stops no job."""
        try:
            yield
        except WebuiError as error:
            log.warning("job %s: %s", job.id, error)
            job.note_notice(Notice("jobs", str(error)))


def _read(text: str) -> GenerationRequest | None:
    try:
        return GenerationRequest.model_validate_json(text)
    except ValidationError:
        return None


def _further_checkpoints(request: GenerationRequest) -> dict[str, str]:
    """Checkpoints that a request names beside its own, by field."""
    named = {"refiner.checkpoint": request.refiner.checkpoint if request.refiner else ""}
    if isinstance(request.task, Txt2Img) and request.task.hires.enabled:
        named["task.hires.checkpoint"] = request.task.hires.checkpoint
    return {field: alias for field, alias in named.items() if alias}


class _Control:
    """What jobs may ask for."""

    def __init__(self, executor: Executor, queue: JobQueue) -> None:
        self._executor = executor
        self._queue = queue

    def cancel(self, job_id: str) -> None:
        self._executor.cancel(job_id)

    def skip(self, job_id: str) -> None:
        self._executor.skip(job_id)

    def position(self, job_id: str) -> int:
        return self._queue.position(job_id)
