"""A job in pieces, without devices: whatever order batches end in, and whatever is lost, each picture is there once."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.executors.prompted_back import jpeg, picture
from tests.executors.watching import wanted
from webui.domain.errors import Cancelled, WorkerDiedError
from webui.domain.planned_image import PlannedImage, SettledPlan
from webui.domain.result import GenerationResult, ModelFacts, Notice, Progress
from webui.executors.protocol import Continuation, Failed, Finished, Shard
from webui.executors.split_job import SplitJob
from webui.imaging.preview_sheet import joined_previews

LOST = WorkerDiedError("the worker process ended (signal 9)")


def plan(*sizes: int) -> SettledPlan:
    images = tuple(PlannedImage("x", "", seed, 0) for seed in range(sum(sizes)))
    return SettledPlan(wanted("x", seed=0), images, sizes)


def made(*indices: int, **more: Any) -> GenerationResult:
    request = wanted("x", seed=0)
    return GenerationResult(request, tuple(picture(request, one) for one in indices), ModelFacts("m", "h"), **more)


def missing(shard: Shard) -> list[int]:
    assert shard.plan is not None
    return sorted(set(range(len(shard.plan.images))) - shard.made)


@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=6),
    st.sets(st.integers(0, 12)),
    st.randoms(use_true_random=False),
    st.integers(1, 3),
)
def test_every_missing_picture_is_made_once(sizes: list[int], there: set[int], chance: Any, lanes: int) -> None:
    settled = plan(*sizes)
    total = sum(sizes)
    there &= set(range(total))
    job = SplitJob.of("a", Continuation(wanted("x", seed=0), frozenset(there)))
    pieces: dict[str, list[int]] = {}
    count = 0
    while not job.is_over:
        for lane in range(lanes):
            busy = {piece.lane for piece in job.in_work.values()}
            batch = None if lane in busy else job.batch_for(lane, lanes - 1)
            if batch is not None:
                name = f"p{count}"
                count += 1
                shard = job.hand_out(name, batch, lane)
                if shard.plan is None:
                    job.settle(name, settled)
                    groups = [settled.indices(one) for one in range(len(sizes))]
                    own = next(([*group] for group in groups if not shard.made.issuperset(group)), [])
                    pieces[name] = [one for one in own if one not in shard.made]
                else:
                    pieces[name] = missing(shard)
        name = chance.choice(sorted(job.in_work))
        own = pieces[name]
        told = own[: chance.randrange(len(own) + 1)]
        assert all(job.takes(one) for one in made(*told).images)
        if chance.random() < 0.3 and not job.lost.get(job.in_work[name].batch):
            job.was_lost(name, LOST, "cuda:1")
        else:
            assert all(job.takes(one) for one in made(*own[len(told) :]).images)
            job.finished(name, made(*own))
    ended = job.end()
    assert isinstance(ended, Finished)
    assert isinstance(ended.outcome, GenerationResult)
    assert [one.index for one in ended.outcome.images] == sorted(set(range(total)) - there)
    assert not ended.outcome.interrupted


def begun(batches: int, lanes: int) -> SplitJob:
    job = SplitJob.of("a", wanted("x", seed=0, n_iter=batches))
    job.hand_out("p0", -1, 0)
    assert job.batch_for(1, 1) is None  # nobody knows what it is yet
    job.settle("p0", plan(*[1] * batches))
    for lane in range(1, lanes):
        batch = job.batch_for(lane, lanes - 1)
        assert batch == lane
        job.hand_out(f"p{lane}", batch, lane)
    return job


def test_progress_is_that_of_the_first_batch_with_the_rest_beside_it() -> None:
    job = begun(4, 3)
    assert job.progressed("p1", Progress("sampling", 5, 10, 1, 4)).fraction == 0.5 / 4
    told = job.progressed("p0", Progress("sampling", 2, 10, 0, 4))
    assert (told.batch, told.step, told.batches, told.images) == (0, 2, 4, 4)
    assert abs(told.fraction - 0.7 / 4) < 1e-9
    job.finished("p1", made(1))
    told = job.progressed("p0", Progress("sampling", 3, 10, 0, 4))
    assert (told.batch, round(told.fraction, 6)) == (0, round(1.3 / 4, 6))


def test_previews_of_all_batches_are_shown_together() -> None:
    job = begun(2, 2)
    assert job.progressed("p1", Progress("sampling", 5, 10, 1, 2, jpeg(9))).preview == jpeg(9)
    both = job.progressed("p0", Progress("sampling", 5, 10, 0, 2, jpeg(3))).preview
    assert both == joined_previews([jpeg(3), jpeg(9)])
    assert job.progressed("p0", Progress("sampling", 6, 10, 0, 2)).preview is None


def test_a_batch_lost_once_goes_to_another_lane_and_lost_twice_fails_the_job() -> None:
    job = begun(2, 2)
    job.was_lost("p1", LOST, "cuda:1")
    assert (job.batch_for(1, 1), job.batch_for(0, 1), job.batch_for(1, 0)) == (None, 1, 1)
    job.hand_out("p2", 1, 0)
    job.was_lost("p2", LOST, "cuda:0")
    assert (job.is_ending, job.is_over) == (True, False)
    job.finished("p0", made(0))
    assert job.end() == Failed("a", LOST)


def test_a_skip_is_for_the_first_batch_and_a_stop_for_all() -> None:
    job = begun(3, 2)
    assert (job.skip(), job.skip(), job.skip()) == ("p0", "p1", None)
    job.cancelled("p0", Cancelled("skipped"))
    assert not job.is_ending
    job.stop()
    job.cancelled("p1", Cancelled("stopped"))
    ended = job.end()
    assert isinstance(ended, Failed)
    assert isinstance(ended.error, Cancelled)


def test_an_extension_that_ends_the_job_ends_all_of_it() -> None:
    job = begun(3, 2)
    job.cancelled("p0", Cancelled("enough"))
    assert job.is_ending
    job.finished("p1", made(1))
    ended = job.end()
    assert isinstance(ended, Finished)
    assert isinstance(ended.outcome, GenerationResult)
    assert ([one.index for one in ended.outcome.images], ended.outcome.interrupted) == ([1], True)


def test_results_are_joined_in_the_order_of_their_pictures() -> None:
    job = begun(2, 2)
    film, again = Image.new("RGB", (2, 2), "red"), Image.new("RGB", (2, 2), "red")
    note, other = Notice("prompt", "left out"), Notice("x", "y")
    job.finished("p1", made(1, notices=(note, other), timings={"sampling": 1.0}, extras=(film,)))
    job.finished("p0", made(0, notices=(note,), timings={"sampling": 2.0, "loading": 1.0}, extras=(again,)))
    ended = job.end()
    assert isinstance(ended, Finished)
    result = ended.outcome
    assert isinstance(result, GenerationResult)
    assert [one.index for one in result.images] == [0, 1]
    assert (result.notices, result.timings) == ((note, other), {"sampling": 3.0, "loading": 1.0})
    assert len(result.extras) == 1
