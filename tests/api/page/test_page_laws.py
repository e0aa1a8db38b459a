"""Whoever applies the changes to the state that came first has what somebody gets who comes later."""

import asyncio
import random
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from tests.api.page.open_page import ME, Opened
from tests.engine_bench import FACTS, Bench
from tests.executors.prompted_back import jpeg, picture
from tests.executors.watching import wanted
from webui.api.page.job_rows import plain_reason
from webui.api.page.viewer import Viewer
from webui.domain.errors import BusyError, Cancelled, NotFiniteError, WorkerDiedError, WrongStateError
from webui.domain.result import GenerationResult, Progress
from webui.engine.engine import Engine
from webui.engine.generating import GenerationJob
from webui.executors.protocol import Failed, Finished, ImageMade, Progressed, Started

OWNERS = (ME, "page other", "")
COMMANDS = MappingProxyType(  # and how often each is given
    {
        "submit": 6, "begin": 6, "progress": 4, "image": 4, "end": 3, "fail": 1, "die": 2, "stopped": 1, "cancel": 1,
        "hold": 1, "retry": 2, "move": 2, "delete": 1, "pause": 1, "resume": 2, "forever": 1, "settle": 1,
    }
)  # fmt: skip


class Orders:
    """Gives an engine orders, each by a word and a number; what cannot be done now is not done."""

    def __init__(self, bench: Bench, engine: Engine) -> None:
        self.bench = bench
        self.engine = engine

    def do(self, command: str, number: int) -> None:
        try:
            getattr(self, command)(number)
        except (WrongStateError, BusyError):
            return

    def submit(self, number: int) -> None:
        request = wanted(f"picture {number}", n_iter=1 + number % 3, seed=number)
        self.engine.submit(request, save=number % 4 != 0, owner=OWNERS[number % 3])

    def begin(self, number: int) -> None:
        for job_id in self.bench.hand.jobs:
            job = self.engine.job(job_id)
            if job is not None and job.state == "queued":
                self.bench.hand.tell(Started(job_id))

    def progress(self, number: int) -> None:
        for job in self.engine.running():
            preview = jpeg(number) if number % 2 else None
            told = Progress("sampling", number % 11, 10, len(job.images), job.work.n_iter, preview)
            self.bench.hand.tell(Progressed(job.id, told))

    def image(self, number: int) -> None:
        for job in self.engine.running():
            if len(job.images) < job.work.n_iter:
                self.bench.hand.tell(ImageMade(job.id, picture(job.work, len(job.images))))

    def end(self, number: int) -> None:
        for job in self.engine.running():
            made = tuple(picture(job.work, index) for index in range(max(1, len(job.images))))
            stopped = len(made) < job.work.n_iter
            self.bench.hand.tell(Finished(job.id, GenerationResult(job.work, made, FACTS, interrupted=stopped)))

    def fail(self, number: int) -> None:
        self._fail(NotFiniteError("there were values that are no numbers"))

    def die(self, number: int) -> None:
        self._fail(WorkerDiedError("the worker was killed"))

    def stopped(self, number: int) -> None:
        self._fail(Cancelled("stopped"))

    def cancel(self, number: int) -> None:
        if (job := self._any(number)) is not None:
            job.cancel()

    def hold(self, number: int) -> None:
        if (job := self._any(number)) is not None:
            self.engine.queue.hold(job)

    def retry(self, number: int) -> None:
        if (job := self._any(number)) is not None:
            self.engine.queue.retry(job)

    def move(self, number: int) -> None:
        if (job := self._any(number)) is not None:
            others = [one for one in self.engine.queue.jobs() if one is not job]
            self.engine.queue.move_before(job, others[number % len(others)] if others and number % 4 else None)

    def delete(self, number: int) -> None:
        jobs = (*self.engine.overview.line(), *self.engine.overview.ended(20))
        if jobs:
            self.engine.queue.delete(jobs[number % len(jobs)].id)

    def pause(self, number: int) -> None:
        self.engine.queue.pause(f"because of {number}")

    def resume(self, number: int) -> None:
        self.engine.queue.resume()

    def forever(self, number: int) -> None:
        change = self.engine.forever.begin if number % 2 else self.engine.forever.end
        change(OWNERS[number % 2])

    def settle(self, number: int) -> None:
        """Memory is short: the pixels of all jobs that have ended go."""
        for job in self.engine.overview.ended(20):
            job.note_forgotten()

    def _fail(self, error: Exception) -> None:
        for job in self.engine.running():
            self.bench.hand.tell(Failed(job.id, error))

    def _any(self, number: int) -> GenerationJob | None:
        jobs = self.engine.queue.jobs()
        return jobs[number % len(jobs)] if jobs else None


@pytest.mark.parametrize("seed", range(12))
def test_the_state_and_its_changes_are_the_state_that_comes_later(seed: int, tmp_path: Path) -> None:
    chance, bench = random.Random(seed), Bench(tmp_path)
    only = Viewer("page other", sees_all=False)

    async def live() -> None:
        engine = bench.engine()
        opened, orders = Opened(engine, bench.folder / "cache"), Orders(bench, engine)
        async with opened.page() as mine, opened.page(only) as others:
            for _ in range(8):
                for command in chance.choices(list(COMMANDS), list(COMMANDS.values()), k=10):
                    orders.do(command, chance.randrange(40))
                    if chance.random() < 0.5:  # or several changes are told of at once
                        await asyncio.sleep(0.003)
                await opened.agree(mine)
                await opened.agree(others, only)
                assert all(row.mine for row in others.rows.values())

    asyncio.run(live())
    bench.made[0].close()


def test_a_whole_day_of_a_job_is_told_in_order(tmp_path: Path) -> None:
    async def live(bench: Bench) -> list[Any]:
        engine = bench.engine()
        opened = Opened(engine)
        async with opened.page() as kept:
            job = engine.submit(wanted("a cat", n_iter=2), save=True, owner=ME)
            await opened.until(lambda: kept.rows)
            bench.hand.tell(Started(job.id))
            await opened.until(lambda: kept.rows[job.id].state == "running")
            bench.hand.tell(Progressed(job.id, Progress("sampling", 3, 10, 0, 2, jpeg(3))))
            await opened.until(lambda: kept.progress and kept.progress[job.id].step == 3)
            told = kept.progress[job.id]
            assert (told.image, told.images, told.fraction) == (1, 2, 0.15)
            assert told.preview is not None
            bench.hand.tell(ImageMade(job.id, picture(job.work, 0)))
            await opened.until(lambda: kept.pictures)
            assert kept.rows[job.id].state == "running", "a picture of a batch is told of when it is made"
            bench.hand.tell(ImageMade(job.id, picture(job.work, 1)))
            bench.hand.tell(Finished(job.id, GenerationResult(job.work, (), FACTS)))
            await opened.until(lambda: kept.rows[job.id].state == "done" and len(kept.pictures) == 2)
            row = kept.rows[job.id]
            assert (row.kind, row.title, row.facts) == ("txt2img", "a cat", "64 × 64 · 10 steps")
            assert (row.mine, row.position, row.pictures, row.expected) == (True, None, 2, 2)
            assert list(kept.pictures) == [f"{job.id}/1", f"{job.id}/0"]
            newest = kept.pictures[f"{job.id}/1"]
            assert (newest.seed, newest.width, newest.height, newest.kind) == (6, 8, 8, "txt2img")
            assert newest.text.startswith("a cat")
            await opened.agree(kept)
        return kept.seen

    bench = Bench(tmp_path)
    asyncio.run(live(bench))
    bench.made[0].close()


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("extensions.control.units.0.model: needs a file", "Control, unit 1: needs a file"),
        ("extensions.control.start: is after the end", "Control: is after the end"),
        ("extensions.other.start: is after the end", "other: is after the end"),
        (
            "the memory did not suffice: extensions.control.start",
            "the memory did not suffice: extensions.control.start",
        ),
    ],
)
def test_the_error_of_an_extensions_option_names_it_as_people_do(reason: str, said: str) -> None:
    assert plain_reason(reason, {"control": "Control", "other": "other"}.__getitem__) == said
