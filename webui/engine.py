"""The front's centre: takes requests, keeps the queue, saves images as they come, remembers. Never imports torch."""

import asyncio
import json
import logging
import os
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from webui.domain.errors import BadRequestError, BusyError, Cancelled, UnknownModelError, UnusableFileError, WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, Notice
from webui.executors.protocol import Event, Executor, Failed, Finished, ImageMade, OnEvent, Progressed, Started
from webui.jobs.job import ENDED, Job
from webui.jobs.store import JobStore
from webui.library.choice import first_choice
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary

JOBS_KEPT = 100  # ended jobs that can still be asked for
RESULTS_KEPT = 16  # of them with their images in memory
TRIES = 2  # a job that was running at a crash is run once more
FOLDER = "txt2img-images"
LOG = logging.getLogger("webui")


class ImageSaver(Protocol):
    """Writes an image below the outputs folder."""

    def save(self, image: GeneratedImage, *, folder: Any, job: GenerationRequest | None = None) -> Path: ...


class Engine:
    """Everything a door needs. Thread-safe.

    Args:
        executor: makes the executor, given where its events go.
        data_dir: holds `starting_values.json`.
        max_queue: jobs that may wait.
    """

    def __init__(
        self,
        executor: Callable[[OnEvent], Executor],
        library: ModelLibrary,
        store: JobStore,
        images: ImageSaver,
        *,
        data_dir: Path,
        max_queue: int = 64,
    ) -> None:
        self.library = library
        self._store = store
        self._images = images
        self._starting = StartingValues(data_dir / "starting_values.json")
        self._max_queue = max_queue
        self._lock = threading.RLock()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._executor = executor(self._on_event)
        self._recover()

    def submit(self, request: GenerationRequest, *, save: bool, job_id: str | None = None) -> Job:
        """Put a request in the queue; returns at once. The same id twice is one job.

        Raises:
            BusyError: the queue is full.
            BadRequestError, UnknownModelError, UnusableFileError: a model it names is not there or cannot be used.
        """
        request = self._with_models(request)
        with self._lock:
            known = self._jobs.get(job_id or "")
            if known is not None:
                return known
            if len(self.queued()) >= self._max_queue:
                raise BusyError(f"{self._max_queue} jobs are waiting already; try again later")
            job = self._add(job_id or uuid.uuid4().hex, request, save=save)
            self._store.add(job.id, request, save=save)
        self._executor.submit(job.id, request)
        return job

    def job(self, job_id: str) -> Job | None:
        """A job that waits, runs, or ended lately."""
        with self._lock:
            return self._jobs.get(job_id)

    def current(self) -> Job | None:
        """The job that runs."""
        with self._lock:
            return next((job for job in self._jobs.values() if job.state == "running"), None)

    def queued(self) -> tuple[Job, ...]:
        """Jobs that wait, the next one first."""
        with self._lock:
            return tuple(job for job in self._jobs.values() if job.state == "queued")

    def interrupt(self) -> None:
        """Stop the job that runs."""
        if (job := self.current()) is not None:
            job.cancel()

    def skip(self) -> None:
        """End the batch of the job that runs."""
        if (job := self.current()) is not None:
            job.skip()

    def load(self, checkpoint: str) -> None:
        """Load a checkpoint (any alias) and wait for it. Raises WebuiError."""
        self._find(checkpoint)
        self._executor.load(checkpoint)

    async def aload(self, checkpoint: str) -> None:
        """As `load`, without blocking the event loop."""
        await asyncio.to_thread(self.load, checkpoint)

    def starting_values(self) -> GenerationRequest:
        """What forms and API requests start from."""
        return self._starting.request

    def change_starting_values(self, changes: Mapping[str, Any]) -> None:
        """Change them, by dotted field name (`noise.eta_ddim`), and keep them on disk. Raises BadRequestError."""
        with self._lock:
            self._starting.change(changes)

    def close(self) -> None:
        """End the back; jobs not ended are found again at the next start."""
        with self._lock:
            open_jobs = [job for job in self._jobs.values() if job.state not in ENDED]
        self._executor.close()
        for job in open_jobs:
            job.fail(WebuiError("the program was stopped"))
        self._store.close()

    def _add(self, job_id: str, request: GenerationRequest, *, save: bool) -> Job:
        job = Job(job_id, request, save=save, cancel=self._cancel, skip=lambda one: self._executor.skip(one.id))
        self._jobs[job_id] = job
        self._renumber()
        return job

    def _recover(self) -> None:
        """Queue again what had not ended. Unsaved jobs belonged to a client that is gone."""
        for lost in self._store.unfinished():
            if not lost.save or lost.attempts >= TRIES:
                why = "the program stopped twice while it ran" if lost.save else "the program was stopped"
                self._store.end(lost.id, "failed", why)
                continue
            with self._lock:
                self._add(lost.id, lost.request, save=True)
            self._executor.submit(lost.id, lost.request)

    def _cancel(self, job: Job) -> None:
        with self._lock:
            if job.state == "queued":
                job.fail(Cancelled("stopped before it began"))
                self._store.end(job.id, "cancelled")
                self._renumber()
        self._executor.cancel(job.id)

    def _with_models(self, request: GenerationRequest) -> GenerationRequest:
        """Fill in the checkpoint and check that every model named is there."""
        name = request.checkpoint or self._starting.request.checkpoint
        if not name:
            name = self._first_choice().name
        checkpoint = self._find(name)
        self.library.vae(request.vae, checkpoint)
        if request.refiner is not None:
            try:
                self._find(request.refiner.checkpoint)
            except (UnknownModelError, UnusableFileError) as error:
                raise BadRequestError("refiner.checkpoint", str(error)) from error
        return request.with_(checkpoint=checkpoint.name)

    def _first_choice(self) -> ModelFile:
        try:
            return first_choice(self.library)
        except UnknownModelError:
            self.library.refresh()
            return first_choice(self.library)

    def _find(self, alias: str) -> ModelFile:
        """A checkpoint by any alias; one that was just copied into the folder is found too."""
        try:
            return self.library.checkpoint(alias)
        except (UnknownModelError, UnusableFileError):
            self.library.refresh()
            return self.library.checkpoint(alias)

    def _on_event(self, event: Event) -> None:
        """From the executor's thread."""
        job = self.job(event.job_id)
        if job is None or job.state in ENDED:
            return
        if isinstance(event, Progressed):
            job.advance(event.progress)
        elif isinstance(event, Started):
            with self._lock:
                self._store.begin(job.id)
                job.start()
                self._renumber()
        elif isinstance(event, ImageMade):
            job.add(*self._saved(job, event.image))
        elif isinstance(event, Finished):
            self._store.end(job.id, "done")
            job.finish(event.result)
            self._forget()
        elif isinstance(event, Failed):
            if event.traceback:
                LOG.error("job %s failed\n%s", job.id, event.traceback)
            state = "cancelled" if isinstance(event.error, Cancelled) else "failed"
            self._store.end(job.id, "cancelled" if state == "cancelled" else "failed", str(event.error))
            job.fail(event.error)
            self._forget()

    def _saved(self, job: Job, image: GeneratedImage) -> tuple[GeneratedImage, tuple[Notice, ...]]:
        """The image with its path. One that cannot be written is not lost: it is shown, with a notice."""
        if not job.save:
            return image, ()
        try:
            path = self._images.save(image, folder=FOLDER, job=job.request)
        except (WebuiError, OSError) as error:
            return image, (Notice("output", f"image {image.index + 1} was not saved: {error}"),)
        image = replace(image, path=str(path))
        self._store.add_image(job.id, image)
        return image, ()

    def _renumber(self) -> None:
        running = self.current() is not None
        for position, job in enumerate(self.queued()):
            job.position = position + running

    def _forget(self) -> None:
        """Bound what ended jobs keep in memory."""
        with self._lock:
            ended = [job for job in self._jobs.values() if job.state in ENDED]
            for job in ended[:-RESULTS_KEPT]:
                job.forget_images()
            for job in ended[:-JOBS_KEPT]:
                del self._jobs[job.id]


class StartingValues:
    """The values forms start from: a request, kept in a file that is replaced whole or not at all.

    Only what was changed is set in it (`model_fields_set`), so that a door can tell a choice from a default.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.request = self._read()

    def change(self, changes: Mapping[str, Any]) -> None:
        """Validate, keep, write. Raises BadRequestError naming the field."""
        values = self.request.model_dump(exclude_unset=True)
        for dotted, value in changes.items():
            *parents, name = dotted.split(".")
            place: Any = values
            for parent in parents:
                place = place.setdefault(parent, {})
            place[name] = value
        try:
            self.request = GenerationRequest.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            raise BadRequestError(".".join(str(part) for part in first["loc"]) or "request", first["msg"]) from None
        self._write()

    def _read(self) -> GenerationRequest:
        try:
            return GenerationRequest.model_validate_json(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return GenerationRequest()
        except (OSError, ValueError) as error:
            aside = self._path.with_suffix(".broken")
            LOG.warning("%s cannot be read (%s); it is kept as %s", self._path.name, type(error).__name__, aside.name)
            os.replace(self._path, aside)
            return GenerationRequest()

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        with new.open("w", encoding="utf-8") as file:
            json.dump(self.request.model_dump(mode="json", exclude_unset=True), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, self._path)
