"""Pictures are written while the next ones are made: who makes them waits for no file, no job ends before its own."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine_bench import Bench, Saver
from tests.executors.prompted_back import PromptedBack, picture
from webui.domain.errors import WebuiError, WorkerDiedError
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult, ModelFacts, Progress
from webui.engine.engine import Engine
from webui.executors.inline import InlineExecutor
from webui.executors.protocol import Failed, Finished, ImageMade, Progressed, Started

REQUEST = GenerationRequest(prompt="a", seed=7, checkpoint="tiny", n_iter=3, width=64, height=64)
FACTS = ModelFacts("tiny", "0123456789")
PATIENCE = 20.0


class SlowSaver(Saver):
    """Writes nothing before it may; notes the order."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.may = threading.Event()
        self.order: list[int] = []

    def save(self, image: Any, **more: Any) -> Path:
        assert self.may.wait(PATIENCE)
        self.order.append(image.index)
        return super().save(image, **more)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, writes_beside=True)
    bench.saver = SlowSaver(tmp_path / "outputs")
    yield bench
    bench.saver.may.set()
    bench.close()


def _saver(bench: Bench) -> SlowSaver:
    assert isinstance(bench.saver, SlowSaver)
    return bench.saver


class Sampling(PromptedBack):
    """Tells of the batches that it begins."""

    def __init__(self, begins: Callable[[int], None]) -> None:
        super().__init__()
        self.begins = begins

    def run(self, request: GenerationRequest, reporter: Any, made: frozenset[int] = frozenset()) -> GenerationResult:
        images = []
        for batch in range(request.n_iter):
            self.begins(batch)
            reporter.progress(Progress("sampling", step=1, steps=2, batch=batch, batches=request.n_iter))
            images.append(picture(request, batch))
            reporter.image(images[-1])
        return GenerationResult(request, tuple(images), FACTS)


def test_sampling_goes_on_while_a_picture_is_written(bench: Bench) -> None:
    begun: list[tuple[int, list[int]]] = []  # each batch, with what was written when it began
    saver = _saver(bench)

    def begins(batch: int) -> None:
        begun.append((batch, list(saver.order)))
        if batch == REQUEST.n_iter - 1:
            saver.may.set()  # not before the last batch has begun

    engine = bench.engine(lambda on_event: InlineExecutor(Sampling(begins), on_event))
    job = engine.submit(REQUEST, save=True)
    result = job.result(PATIENCE)
    assert begun == [(0, []), (1, []), (2, [])]
    assert saver.order == [0, 1, 2]
    assert [image.path for image in result.images] == [image.path for image in job.images]
    assert all(Path(image.path).is_file() for image in result.images)


def _made(engine: Engine, bench: Bench, count: int = 1) -> tuple[Any, tuple[Any, ...]]:
    job = engine.submit(REQUEST, save=True)
    bench.hand.tell(Started(job.id))
    images = tuple(picture(job.work, index) for index in range(count))
    for image in images:
        bench.hand.tell(ImageMade(job.id, image))
    return job, images


def test_a_picture_counts_when_it_is_written_and_progress_does_not_wait(bench: Bench) -> None:
    engine = bench.engine()
    job, images = _made(engine, bench)
    bench.hand.tell(Progressed(job.id, Progress("sampling", step=1, steps=2, batch=1, batches=3)))
    assert job.images == ()
    assert job.progress.batch == 1
    bench.hand.tell(Finished(job.id, GenerationResult(job.work, images, FACTS)))
    assert not job.ended  # its picture is in no file yet
    _saver(bench).may.set()
    assert len(job.result(PATIENCE).images) == 1


def test_the_next_job_begins_while_the_last_picture_is_written(bench: Bench) -> None:
    engine = bench.engine()
    first, images = _made(engine, bench)
    second = engine.submit(REQUEST.with_(seed=8), save=True)
    assert bench.hand.jobs == [first.id]
    bench.hand.tell(Finished(first.id, GenerationResult(first.work, images, FACTS)))
    assert bench.hand.jobs == [first.id, second.id]
    first.cancel()  # too late: all of its pictures are made
    _saver(bench).may.set()
    assert first.result(PATIENCE).images
    assert first.state == "done"


def test_a_worker_that_dies_meanwhile_loses_and_doubles_nothing(bench: Bench) -> None:
    engine = bench.engine()
    job, _ = _made(engine, bench, 2)
    bench.hand.tell(Failed(job.id, WorkerDiedError("it was killed")))
    assert bench.hand.jobs == [job.id]
    _saver(bench).may.set()
    again = threading.Event()
    job.on_change(lambda: again.set() if len(bench.hand.jobs) == 2 else None)
    engine._dispatcher.look()
    while len(bench.hand.jobs) < 2:
        again.wait(0.05)
    assert bench.hand.work[job.id].made == frozenset({0, 1})  # type: ignore[union-attr]
    bench.hand.tell(Started(job.id))
    last = picture(job.work, 2)
    bench.hand.tell(ImageMade(job.id, last))
    bench.hand.tell(Finished(job.id, GenerationResult(job.work, (last,), FACTS)))
    assert [image.index for image in job.result(PATIENCE).images] == [0, 1, 2]
    assert _saver(bench).order == [0, 1, 2]


def test_what_cannot_be_saved_is_told_with_the_result(bench: Bench) -> None:
    engine = bench.engine()
    job, images = _made(engine, bench)
    bench.saver.error = WebuiError("no space left on the disk")
    bench.hand.tell(Finished(job.id, GenerationResult(job.work, images, FACTS)))
    _saver(bench).may.set()
    told = job.result(PATIENCE).notices
    assert ["no space left on the disk" in one.text for one in told] == [True]
    assert "no space left" in engine.queue.reason


def test_closing_writes_what_waits(bench: Bench) -> None:
    engine = bench.engine()
    _made(engine, bench, 3)
    _saver(bench).may.set()
    engine.close()
    assert _saver(bench).order == [0, 1, 2]
