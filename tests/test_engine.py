"""The engine between its doors and a back: what is refused, what is kept, and what outlives a crash or a restart."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from tests.executors.prompted_back import PromptedBack
from tests.executors.watching import PATIENCE, config, until, wanted
from webui.domain.errors import (
    BadRequestError,
    BusyError,
    Cancelled,
    UnknownModelError,
    UnusableFileError,
    WebuiError,
    WorkerDiedError,
)
from webui.domain.request import GenerationRequest, Refiner
from webui.domain.result import GeneratedImage
from webui.engine import Engine
from webui.executors.inline import InlineExecutor
from webui.executors.local import LocalExecutor
from webui.executors.protocol import Executor, Failed, Finished, OnEvent, Started
from webui.executors.running import Stop, perform
from webui.jobs.store import JobStore
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary

ROOT = Path(__file__).parents[1]
LONG = {"steps": 150, "n_iter": 100}


class FakeLibrary:
    """Knows "tiny" and "bad"; "late" only after a refresh."""

    models_dir = Path("models")

    def __init__(self) -> None:
        self.names = ["tiny", "bad"]

    def refresh(self) -> None:
        self.names = ["tiny", "bad", "late"]

    def checkpoints(self) -> tuple[ModelFile, ...]:
        return tuple(map(self._file, self.names))

    def checkpoint(self, alias: str) -> ModelFile:
        name = alias.removesuffix(".safetensors")
        if name not in self.names:
            raise UnknownModelError(f"checkpoint: no {alias!r}; there are {self.names}")
        if name == "bad":
            raise UnusableFileError("bad.safetensors: truncated")
        return self._file(name)

    def vae(self, name: str, checkpoint: ModelFile) -> ModelFile | None:
        if name not in ("Automatic", "None"):
            raise UnknownModelError(f"vae: no {name!r}")
        return None

    def spec(self, file: ModelFile) -> Any:
        raise UnusableFileError("no real file")

    @staticmethod
    def _file(name: str) -> ModelFile:
        return ModelFile(Path(f"{name}.safetensors"), "checkpoint", f"{name}.safetensors", name != "bad")


class FakeSaver:
    """Remembers what it was given; raises `fault` if there is one."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.saved: list[tuple[str, int]] = []

    def save(self, image: GeneratedImage, *, folder: str, job: GenerationRequest | None = None) -> Path:
        if self.fault is not None:
            raise self.fault
        self.saved.append((folder, image.index))
        return Path(folder) / f"{image.index}.png"


class HeldExecutor:
    """Takes jobs and does nothing until it is told to."""

    def __init__(self, on_event: OnEvent) -> None:
        self.on_event = on_event
        self.jobs: dict[str, GenerationRequest] = {}
        self.asked: list[str] = []

    def submit(self, job_id: str, request: GenerationRequest) -> None:
        self.jobs[job_id] = request

    def begin(self, job_id: str) -> None:
        self.on_event(Started(job_id))

    def finish(self, job_id: str) -> None:
        self.on_event(perform(PromptedBack(), job_id, self.jobs[job_id], Stop(), self.on_event))

    def cancel(self, job_id: str) -> None:
        self.asked.append(f"cancel {job_id}")

    def skip(self, job_id: str) -> None:
        self.asked.append(f"skip {job_id}")

    def load(self, checkpoint: str) -> None:
        self.asked.append(f"load {checkpoint}")

    def close(self) -> None:
        for job_id in self.jobs:
            self.on_event(Failed(job_id, WebuiError("the program was stopped")))


class World:
    """Engines on one data folder, one after another."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.library, self.saver = FakeLibrary(), FakeSaver()
        self.engines: list[Engine] = []
        self.max_queue = 64

    def engine(self, executor: Callable[[OnEvent], Executor]) -> Engine:
        store = JobStore(self.data_dir / "webui.sqlite3")
        library = cast(ModelLibrary, self.library)
        engine = Engine(executor, library, store, self.saver, data_dir=self.data_dir, max_queue=self.max_queue)
        self.engines.append(engine)
        return engine

    def inline(self) -> Engine:
        return self.engine(lambda on_event: InlineExecutor(PromptedBack(), on_event))

    def local(self) -> Engine:
        return self.engine(lambda on_event: LocalExecutor(config(self.data_dir), on_event))

    def held(self) -> tuple[Engine, HeldExecutor]:
        made: list[HeldExecutor] = []

        def make(on_event: OnEvent) -> HeldExecutor:
            made.append(HeldExecutor(on_event))
            return made[-1]

        return self.engine(make), made[-1]

    def stored(self, job_id: str) -> tuple[str, str]:
        store = JobStore(self.data_dir / "webui.sqlite3")
        row = store.job(job_id)
        store.close()
        assert row is not None
        return row.state, row.error


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    for engine in world.engines:
        engine.close()


def test_the_front_never_loads_torch() -> None:
    modules = "webui.engine, webui.worker, webui.executors.local, webui.executors.inline"
    code = f"import sys, {modules}; sys.exit(sorted({{'torch', 'diffusers', 'transformers'}} & set(sys.modules)) or 0)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_images_are_saved_as_they_are_made_and_remembered(world: World) -> None:
    engine = world.inline()
    job = engine.submit(wanted("quick", n_iter=2), save=True)
    result = job.result()
    assert [image.path for image in result.images] == ["txt2img-images/0.png", "txt2img-images/1.png"]
    assert world.saver.saved == [("txt2img-images", 0), ("txt2img-images", 1)]
    assert [(image.job_id, image.seed) for image in engine.history()] == [(job.id, 6), (job.id, 5)]
    assert (job.state, engine.job(job.id), world.stored(job.id)[0]) == ("done", job, "done")


def test_images_that_nobody_wants_saved_have_no_file(world: World) -> None:
    engine = world.inline()
    assert engine.submit(wanted("quick"), save=False).result().images[0].path == ""
    assert world.saver.saved == []
    assert engine.history() == ()


@pytest.mark.parametrize("fault", [WebuiError("not saved: no space left"), ValueError("a bug in the saver")])
def test_an_image_that_cannot_be_saved_is_still_shown(world: World, fault: Exception) -> None:
    world.saver.fault = fault
    result = world.inline().submit(wanted("quick"), save=True).result()
    assert result.images[0].path == ""
    (notice,) = result.notices
    assert notice.source == "output"
    assert str(fault) in notice.text


def test_a_database_that_fails_loses_no_image(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise WebuiError("database: the disk is full")

    monkeypatch.setattr(JobStore, "add_image", full)
    monkeypatch.setattr(JobStore, "note_ended", full)
    result = world.inline().submit(wanted("quick"), save=True).result()
    assert result.images[0].path == "txt2img-images/0.png"
    assert [notice.text for notice in result.notices] == ["database: the disk is full"]


@pytest.mark.parametrize(
    ("prompt", "kind", "text"),
    [("refuse", BadRequestError, "steps: too many for this model"), ("raise", ValueError, "a bug in the back")],
)
def test_a_failed_job_tells_why(world: World, prompt: str, kind: type[Exception], text: str) -> None:
    job = world.inline().submit(wanted(prompt), save=True)
    with pytest.raises(kind, match=text):
        job.result()
    assert job.state == "failed"
    assert text in job.error_text
    assert world.stored(job.id) == ("failed", text)


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (wanted("quick", checkpoint="nothing"), UnknownModelError),
        (wanted("quick", checkpoint="bad"), UnusableFileError),
        (wanted("quick", vae="nothing"), UnknownModelError),
        (wanted("quick", refiner=Refiner(checkpoint="nothing")), BadRequestError),
    ],
)
def test_files_that_cannot_be_used_are_refused_at_once(
    world: World, request_: GenerationRequest, kind: type[Exception]
) -> None:
    engine, executor = world.held()
    with pytest.raises(kind):
        engine.submit(request_, save=True)
    assert (executor.jobs, engine.queued()) == ({}, ())


def test_a_checkpoint_that_was_just_copied_is_found(world: World) -> None:
    engine, _ = world.held()
    assert engine.submit(wanted("quick", checkpoint="late"), save=True).request.checkpoint == "late"


def test_a_request_without_a_checkpoint_gets_the_current_one(world: World) -> None:
    engine, executor = world.held()
    assert engine.submit(wanted("quick", checkpoint=""), save=True).request.checkpoint == "tiny.safetensors"
    engine.change_starting_values({"checkpoint": "late"})
    job = engine.submit(wanted("quick", checkpoint=""), save=True)
    assert executor.jobs[job.id].checkpoint == "late"


def test_a_full_queue_refuses_until_there_is_room(world: World) -> None:
    world.max_queue = 1
    engine, executor = world.held()
    running = engine.submit(wanted("quick"), save=False)
    executor.begin(running.id)
    waiting = engine.submit(wanted("quick"), save=False)
    with pytest.raises(BusyError):
        engine.submit(wanted("quick"), save=False)
    assert (engine.current(), engine.queued(), waiting.position) == (running, (waiting,), 1)
    executor.finish(running.id)
    assert (engine.current(), waiting.position) == (None, 0)
    engine.submit(wanted("quick"), save=False)


def test_the_same_job_sent_twice_is_one_job(world: World) -> None:
    engine, executor = world.held()
    first = engine.submit(wanted("quick"), save=True, job_id="mine")
    assert engine.submit(wanted("quick"), save=True, job_id="mine") is first
    assert len(executor.jobs) == 1
    with pytest.raises(BadRequestError, match="job_id"):
        engine.submit(wanted("another"), save=True, job_id="mine")


def test_many_threads_get_one_order(world: World) -> None:
    engine, executor = world.held()
    threads = [
        threading.Thread(target=engine.submit, args=(wanted("quick"),), kwargs={"save": False, "job_id": str(number)})
        for number in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [job.id for job in engine.queued()] == list(executor.jobs)


def test_interrupt_and_skip_concern_the_running_job(world: World) -> None:
    engine, executor = world.held()
    engine.interrupt()
    engine.skip()
    jobs = [engine.submit(wanted("quick"), save=False) for _ in range(2)]
    executor.begin(jobs[0].id)
    engine.interrupt()
    engine.skip()
    jobs[1].cancel()
    assert executor.asked == [f"cancel {jobs[0].id}", f"skip {jobs[0].id}", f"cancel {jobs[1].id}"]


def test_events_of_ended_and_unknown_jobs_change_nothing(world: World) -> None:
    engine, executor = world.held()
    job = engine.submit(wanted("quick"), save=False)
    executor.on_event(Failed(job.id, Cancelled("stopped")))
    executor.begin(job.id)
    executor.begin("unknown")
    executor.finish(job.id)
    assert (job.state, engine.current()) == ("cancelled", None)


def test_a_checkpoint_is_loaded_by_any_alias(world: World) -> None:
    engine, executor = world.held()
    engine.load("tiny")
    asyncio.run(engine.aload("late"))
    assert executor.asked == ["load tiny.safetensors", "load late.safetensors"]
    with pytest.raises(UnknownModelError):
        engine.load("nothing")


def test_starting_values_outlive_the_program(world: World) -> None:
    engine, _ = world.held()
    engine.change_starting_values({"steps": 7, "noise.eta": 0.5})
    for changes in ({"steps": 0}, {"checkpoint": "nothing"}):
        with pytest.raises(WebuiError):
            engine.change_starting_values(changes)
    engine.close()
    again, _ = world.held()
    assert (again.starting_values().steps, again.starting_values().noise.eta) == (7, 0.5)


def test_what_a_stop_broke_off_is_done_at_the_next_start_in_order(world: World) -> None:
    engine, executor = world.held()
    jobs = [engine.submit(wanted("quick", seed=seed), save=True) for seed in range(4)]
    executor.begin(jobs[0].id)
    executor.finish(jobs[0].id)
    executor.begin(jobs[1].id)
    engine.close()
    engine.close()
    with pytest.raises(WebuiError, match="stopped"):
        jobs[2].result()
    with pytest.raises(BusyError):
        engine.submit(wanted("quick"), save=True)
    _, again = world.held()
    assert list(again.jobs) == [job.id for job in jobs[1:]]
    assert list(again.jobs.values()) == [job.request for job in jobs[1:]]


def test_a_job_that_ended_the_program_twice_is_not_tried_a_third_time(world: World) -> None:
    engine, executor = world.held()
    poison = engine.submit(wanted("quick"), save=True)
    behind = engine.submit(wanted("quick"), save=True)
    for _ in range(2):
        executor.begin(poison.id)
        engine.close()
        engine, executor = world.held()
    assert list(executor.jobs) == [behind.id]
    refused = engine.job(poison.id)
    assert refused is not None
    assert refused.state == "failed"
    assert "not tried again" in refused.error_text
    assert world.stored(poison.id)[0] == "failed"


def test_a_job_whose_checkpoint_has_gone_fails_at_the_next_start(world: World) -> None:
    engine, _ = world.held()
    job = engine.submit(wanted("quick", checkpoint="late"), save=True)
    engine.close()
    world.library.names = ["tiny"]
    world.library.refresh = lambda: None  # type: ignore[method-assign]
    again, executor = world.held()
    assert executor.jobs == {}
    failed = again.job(job.id)
    assert failed is not None
    assert "late" in failed.error_text


def test_a_job_with_a_worker_from_its_progress_to_its_end(world: World) -> None:
    engine = world.local()
    first = engine.submit(wanted("slow", **LONG), save=True)
    second = engine.submit(wanted("quick"), save=True)
    assert (first.state, second.position) != ("done", 0)  # nothing was made inside `submit`
    for progress in first.watch(PATIENCE):
        if progress.preview:
            break
    assert first.preview is not None
    assert first.preview.startswith(b"\xff\xd8")
    assert (first.eta() or 0) > 0
    assert engine.current() is first
    assert second.state == "queued"
    until(lambda: first.images)
    engine.interrupt()
    result = first.result(PATIENCE)
    assert (first.state, result.interrupted) == ("done", True)
    assert [image.index for image in result.images] == [index for _, index in world.saver.saved[: len(result.images)]]
    assert all(image.path for image in result.images)
    assert len(second.result(PATIENCE).images) == 1


def test_a_client_that_hangs_up_stops_its_job_and_no_other(world: World) -> None:
    engine = world.local()
    left = engine.submit(wanted("slow", **{**LONG, "n_iter": 1}), save=False)
    other = engine.submit(wanted("quick"), save=False)

    async def hang_up() -> None:
        waiting = asyncio.create_task(left.wait())
        while left.progress.phase != "sampling":
            await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert left.state == "running"  # giving up the wait alone does not stop it
        left.cancel()
        with pytest.raises(Cancelled):
            await left.wait()

    asyncio.run(hang_up())
    assert left.state == "cancelled"
    assert len(other.result(PATIENCE).images) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_a_killed_worker_costs_its_job_but_not_its_images_nor_the_next(world: World) -> None:
    executors: list[LocalExecutor] = []

    def make(on_event: OnEvent) -> LocalExecutor:
        executors.append(LocalExecutor(config(world.data_dir), on_event))
        return executors[-1]

    engine = world.engine(make)
    killed = engine.submit(wanted("slow", **LONG), save=True)
    following = engine.submit(wanted("quick"), save=True)
    until(lambda: killed.images)
    os.kill(executors[0].pid, signal.SIGKILL)
    with pytest.raises(WorkerDiedError, match="signal 9"):
        killed.result(PATIENCE)
    assert killed.state == "failed"
    assert all(image.path for image in killed.images)
    assert {image.job_id for image in engine.history()} >= {killed.id}
    assert len(following.result(PATIENCE).images) == 1


def test_the_engine_is_there_before_its_worker(world: World) -> None:
    engine = world.local()
    assert not (world.data_dir / "pids").exists()  # no back was built yet
    assert len(engine.submit(wanted("quick"), save=False).result(PATIENCE).images) == 1


def test_a_result_that_was_never_reported_image_by_image_is_saved_too(world: World) -> None:
    engine, executor = world.held()
    job = engine.submit(wanted("quick"), save=True)
    executor.begin(job.id)
    ended = perform(PromptedBack(), job.id, job.request, Stop(), lambda _: None)
    assert isinstance(ended, Finished)
    executor.on_event(ended)
    assert [image.path for image in job.result().images] == ["txt2img-images/0.png"]
