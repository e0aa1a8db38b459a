"""The front of the program: takes work on, keeps the queue, watches the back, saves what it makes. Loads no torch."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from webui.domain.errors import WebuiError
from webui.domain.extensions import ActionCall
from webui.domain.request import GenerationRequest
from webui.domain.saving import Saving
from webui.domain.settings import BackSettings
from webui.engine.acting import ActionJob, ActionOfExtension
from webui.engine.batching import BatchJob, BatchKind, BatchWork
from webui.engine.cell_files import CellFiles
from webui.engine.dispatch import Dispatcher
from webui.engine.experimenting import ExperimentJob, ExperimentKind, ExperimentWork
from webui.engine.forever import Forever
from webui.engine.front_runner import FrontRunner
from webui.engine.generating import Generation, GenerationJob
from webui.engine.hearing import Hearing
from webui.engine.indexing import OnKept
from webui.engine.intake import Intake
from webui.engine.job_queue import PAUSED, JobQueue
from webui.engine.keeping import ImageSaver, PictureKeeper, folder_of
from webui.engine.one_by_one import OneByOne
from webui.engine.overview import Overview
from webui.engine.pace import paces_of
from webui.engine.picture_thread import PictureThread
from webui.engine.plot_book import StoredPlots
from webui.engine.plots import Plots
from webui.engine.recordings import Recordings
from webui.engine.records import JobRecords
from webui.engine.request_check import RequestCheck
from webui.engine.runners import BackRunner
from webui.engine.script_surroundings import surroundings_of
from webui.engine.scripts import scripts_of
from webui.engine.sheets import SheetKeeper, WaysOfSaving
from webui.executors.protocol import Executor, OnEvent
from webui.experiments.course import Experiment
from webui.experiments.origin import Surroundings
from webui.jobs.board import JobBoard
from webui.jobs.job import Job
from webui.jobs.kind import JobKind, ProgressT, ResultT, WorkT
from webui.jobs.plot_store import PlotStore
from webui.jobs.starting_values import StartingValues
from webui.jobs.store import JobStore, StoredImage
from webui.library.library import ModelLibrary
from webui.output.spool import Spool
from webui.plugins.catalog import Catalog

MAX_QUEUE = 64
ANSWER_TIME = 120.0  # seconds that a script of an extension may think
PLOTS = "plots"  # in the data folder: the database of plots, and pictures that only they need
SPOOL = "spool"  # in the data folder: pictures that wait for room


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
        max_queue: int = MAX_QUEUE,
        resume: bool = True,
        extensions: Catalog | None = None,
        on_picture: OnKept = lambda job, image: None,
        writes_beside: bool = False,
    ) -> None:
        """Take up what an earlier run left; the worker starts meanwhile.

        Args:
            executor: makes the back, given the function that hears its events.
            store: closed by `close`.
            data_dir: where `starting_values.json` stands, and pictures wait that could not be saved.
            max_queue: how many jobs may wait besides those in work.
            resume: whether jobs that an earlier run left unfinished are done now.
            extensions: those that requests may name.
            on_picture: is told of each picture that was saved, before anybody else; it must not raise.
            writes_beside: whether pictures are written in a thread of their own, so that the back goes on meanwhile.
        """
        self.library = library
        self.extensions = extensions or Catalog()
        self._store = store
        self._starting = StartingValues(data_dir / "starting_values.json")
        self._check = RequestCheck(library, self.extensions, self._starting)
        self._board = JobBoard(max_queue, capacity=lambda: self._executor.capacity)
        self._records = JobRecords(store)
        self._dispatcher = Dispatcher(
            self._board,
            lambda: BackRunner(self._executor),
            lambda: self._executor.capacity,
            give_up=lambda job, error: hearing.fail(job, error),
            try_storage=lambda: keeper.make_room(),
        )
        keeper = PictureKeeper(
            images,
            Spool(data_dir / SPOOL),
            self._records,
            lambda text: self._dispatcher.pause("storage", text),
            on_picture,
        )
        self._generation = Generation(keeper, self._records, self._check.completed, self.extensions.note_costs)
        self._action = ActionOfExtension(library.refresh)
        self._plot_store = PlotStore(data_dir / f"{PLOTS}.sqlite3")
        sheets = SheetKeeper(images, self._plot_store, store, on_picture)
        book = StoredPlots(self._plot_store, store, CellFiles(data_dir / PLOTS), sheets)
        one_by_one = OneByOne(self.submit)
        self._experiment = ExperimentKind(one_by_one, book)
        self.plots = Plots(book, lambda: scripts_of(self.extensions.infos, self._ask), self._begin)
        self._batch = BatchKind(one_by_one, lambda request, saving: images.has(folder_of(request), saving))
        self.forever = Forever(self._board, self._generation, self._send_again)
        self.recordings = Recordings()
        hearing = Hearing(
            self._board, self._records, self._dispatcher, self.extensions.note_worker, self.forever.note_end,
            self.recordings.keep,
        )  # fmt: skip
        self._loads = ThreadPoolExecutor(1, "load")  # so that waiting loads do not use up the event loop's threads
        self._pictures = PictureThread(hearing.hear, self._dispatcher.given_back) if writes_beside else hearing
        self._executor = executor(self._pictures.hear)
        self._front = FrontRunner(hearing)
        self._intake = Intake(self._board, self._records, self._dispatcher, self._front)
        self.queue = JobQueue(
            self._generation, self._board, store, self._records, hearing, self._dispatcher, self._check
        )
        self.overview = Overview(self._board, store, lambda: self.queue.reason)
        keeper.take_up()
        if resume:
            if reason := store.fact(PAUSED):
                self._dispatcher.pause("user", reason)
            self._intake.resume(store, (self._generation, self._action), self.plots.parts())
            self.plots.resume()

    def start(
        self,
        kind: JobKind[WorkT, ProgressT, ResultT],
        work: WorkT,
        *,
        save: bool = False,
        saving: Saving | None = None,
        job_id: str | None = None,
        owner: str = "",
        task: str = "",
    ) -> Job[WorkT, ProgressT, ResultT]:
        """Put work of any kind into the queue, as it is, and return at once. See `Intake.start`.

        Raises:
            BusyError: too many jobs wait, or the program is stopping.
            BadRequestError: `job_id` is that of another job.
        """
        return self._intake.start(kind, work, save=save, saving=saving, job_id=job_id, owner=owner, task=task)

    def find(self, job_id: str, kind: JobKind[WorkT, ProgressT, ResultT]) -> Job[WorkT, ProgressT, ResultT] | None:
        """A job of this kind that waits, runs or ended not long ago."""
        return self._board.get(job_id, kind)

    def submit(
        self,
        request: GenerationRequest,
        *,
        save: bool,
        saving: Saving | None = None,
        job_id: str | None = None,
        owner: str = "",
        task: str = "",
        part_of: str = "",
    ) -> GenerationJob:
        """Put a request into the queue and return at once. The same id and request again give the same job.

        Args:
            save: write its images to files as they are made.
            saving: how, where that is not as the program's settings say; the next run of the program forgets it.
            owner: who sends it; owners have turns.
            task: a name that the client gives the job, and may use again.
            part_of: the id of the experiment that it is a part of.

        Raises:
            BusyError: too many jobs wait, or the program is stopping.
            UnknownModelError, UnusableFileError: the checkpoint or VAE cannot be used.
            BadRequestError: the refiner cannot be used, or `job_id` is that of another job.
        """
        completed = self._check.completed(request)
        return self._intake.start(
            self._generation, completed,
            save=save, saving=saving, job_id=job_id, owner=owner, task=task, part_of=part_of,
        )  # fmt: skip

    def experiment(
        self,
        experiment: Experiment,
        *,
        save: bool,
        ways: WaysOfSaving = WaysOfSaving(),
        owner: str = "",
        task: str = "",
        answered: bool = False,
    ) -> ExperimentJob:
        """Begin an experiment and return at once. Its requests take their turns in the queue, one after another.

        Args:
            save: write its pictures to files, and keep it as a plot that outlives the program.
            ways: how they are written.
            answered: whether somebody waits for the pictures; else very many are not put together in memory.

        Raises:
            BusyError: too many are on their way, or the program is stopping.
        """
        work = ExperimentWork(experiment, save, ways, owner, task, answered=answered)
        is_kept = save and experiment.origin is not None
        return self.plots.begin(work) if is_kept else self._begin(work)

    def surroundings(self, styles: Iterable[str] = ()) -> Surroundings:
        """What scripts have to know beside a request; `styles` by name."""
        return surroundings_of(self.library, styles, self.extensions.infos)

    def pace(self) -> Mapping[str, float]:
        """Seconds for one step of one megapixel, by checkpoint, as far as the last jobs tell."""
        return paces_of(self._board.done(self._generation))

    def _ask(self, call: ActionCall) -> Mapping[str, Any]:
        """The answer of an action that an extension's script has. Raises WebuiError."""
        data = self.start(self._action, call).result(ANSWER_TIME).data
        if not isinstance(data, dict):
            raise WebuiError(f"the script of {call.extension} answered {type(data).__name__}, expected an object")
        return data

    def _begin(self, work: ExperimentWork) -> ExperimentJob:
        return self.start(self._experiment, work, save=work.save, owner=work.owner, task=work.task)

    def experiments(self) -> tuple[ExperimentJob, ...]:
        """Those that are on their way now."""
        return self._board.running(self._experiment)

    def batch(self, work: BatchWork) -> BatchJob:
        """Begin a batch and return at once. Its pictures take their turns in the queue, one after another.

        Raises:
            BusyError: too many are on their way, or the program is stopping.
        """
        return self.start(self._batch, work, save=work.save, saving=work.saving, owner=work.owner)

    def batches(self) -> tuple[BatchJob, ...]:
        """Those that are on their way now."""
        return self._board.running(self._batch)

    def batch_of(self, job_id: str) -> BatchJob | None:
        """A batch that is on its way or ended not long ago."""
        return self.find(job_id, self._batch)

    def job(self, job_id: str) -> GenerationJob | None:
        """A job that makes pictures and waits, runs or ended not long ago."""
        return self.find(job_id, self._generation)

    def job_of_task(self, task: str) -> GenerationJob | None:
        """The latest job in memory to which a client gave that name."""
        job = self._board.of_task(task)
        return self.job(job.id) if job is not None else None

    def running(self) -> tuple[GenerationJob, ...]:
        """Those that make pictures now, in the order in which they came."""
        return self._board.running(self._generation)

    def current(self) -> GenerationJob | None:
        """The first of those that make pictures now, for interfaces that know of no more than one."""
        return next(iter(self.running()), None)

    def queued(self) -> tuple[GenerationJob, ...]:
        """Those that wait to make pictures, in order."""
        return self._board.queued(self._generation)

    def act(self, extension: str, action: str, options: Mapping[str, Any], *, owner: str = "") -> ActionJob:
        """Start an action of an extension and return at once. It takes its turn among the jobs, unless it is light.

        Args:
            owner: who sends it; owners have turns.

        Raises:
            BadRequestError: there is no such action, or the options do not fit.
            BusyError: too many wait, or the program is stopping.
        """
        return self.start(self._action, self.extensions.call(extension, action, options), owner=owner)

    def action(self, job_id: str) -> ActionJob | None:
        """An action that waits, runs or ended not long ago."""
        return self.find(job_id, self._action)

    def interrupt(self) -> None:
        """Stop what makes pictures now within a step; the images so far are kept. Jobs that wait go on."""
        for experiment in self.experiments():  # first, so that none sends a further request
            experiment.cancel()
        for batch in self.batches():
            batch.cancel()
        for job in self.running():
            job.cancel()

    def skip(self) -> None:
        """End the batch in work of what makes pictures now."""
        for job in self.running():
            job.skip()

    def load(self, checkpoint: str) -> None:
        """Load a checkpoint (any alias) before the next job, and wait for it.

        Raises:
            UnknownModelError, UnusableFileError: it cannot be used.
            WebuiError: loading failed, or the program is stopping.
        """
        self._executor.load(self._check.checkpoint(checkpoint).name)

    async def aload(self, checkpoint: str) -> None:
        """`load` for event loops; any number of loads together hold one thread."""
        await asyncio.get_running_loop().run_in_executor(self._loads, self.load, checkpoint)

    def renew(self, settings: BackSettings) -> None:
        """Go on with a new back of these settings, without ending the job in work; returns at once."""
        self._executor.renew(settings)

    def allow_waiting(self, jobs: int) -> None:
        """Let so many jobs wait from now on."""
        self._board.allow(jobs)

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
            self._check.checkpoint(checkpoint)
        self._starting.change(changes)

    def history(self, *, limit: int = 100, before: int | None = None) -> tuple[StoredImage, ...]:
        """Saved images, the newest first; `before` is the last `seq` of the page before this one."""
        return self._store.images(limit=limit, before=before)

    def request_of(self, job_id: str) -> GenerationRequest | None:
        """What a job was asked for, also long ago; None where it is unknown or cannot be read. Raises WebuiError."""
        return self._records.request_of(job_id)

    def rest(self) -> None:
        """Begin no further job; those in work go on."""
        self._dispatcher.close()

    def _send_again(self, job: GenerationJob) -> None:
        request = job.work.with_(seed=-1, subseed=-1)
        self.start(self._generation, request, save=job.save, saving=job.saving, owner=job.owner)

    def close(self) -> None:
        """End the back and the store. Jobs that have not ended fail here, and are done at the next start."""
        if not self._intake.close():
            return
        self.plots.close()
        self.rest()
        self._records.stop()
        for job in self._board.line():
            if job.state == "running":
                self._records.note_queued(job)  # it was stopped in order, which is not held against it
        self._front.close()
        self._executor.close()
        if isinstance(self._pictures, PictureThread):
            self._pictures.close()
        for job in self._board.line():
            if not job.ended:
                job.note_end(WebuiError("the program was stopped before this was done"))
        self._loads.shutdown(wait=False, cancel_futures=True)
        self._store.close()
        self._plot_store.close()
