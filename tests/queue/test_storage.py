"""A picture that cannot be saved is said, kept, and put in its place when there is room; the queue waits for that."""

from pathlib import Path

import pytest
from PIL import Image

from tests.engine_bench import Bench
from tests.executors.watching import until, wanted
from webui.domain.errors import WebuiError
from webui.domain.saving import Saving
from webui.engine.engine import Engine

FULL = WebuiError("not saved in txt2img-images: no space left on the disk")


def spooled(bench: Bench) -> list[Path]:
    return sorted((bench.folder / "spool").glob("*.png"))


def filled(bench: Bench) -> Engine:
    """An engine whose first job could not save its two pictures."""
    engine = bench.engine()
    job = engine.submit(wanted("quick", n_iter=2), save=True, job_id="first")
    bench.saver.error = FULL
    bench.hand.do(job, images=2)
    return engine


def test_every_picture_is_kept_and_told(bench: Bench) -> None:
    engine = filled(bench)
    assert len(spooled(bench)) == 2
    record = engine.queue.record("first")
    assert record is not None
    assert [(one.is_placed, Path(one.path).is_file()) for one in record.pictures] == [(False, True)] * 2
    assert [notice.text[:60] for notice in record.notices] == [
        f"image {number} was not saved: not saved in txt2img-images: no space left"[:60] for number in (1, 2)
    ]


def test_the_queue_waits_with_a_sentence_for_those_that_need_room_alone(bench: Bench) -> None:
    engine = filled(bench)
    waiting = engine.submit(wanted("quick"), save=True)
    beside = engine.submit(wanted("quick"), save=False)
    assert "no space left" in engine.queue.reason
    assert "no space left" in waiting.status.reason
    assert bench.hand.jobs == ["first", beside.id]
    engine.queue.resume()  # there still is none
    assert "no space left" in engine.queue.reason


def test_with_room_again_the_pictures_get_their_places_and_the_queue_goes_on(bench: Bench) -> None:
    engine = filled(bench)
    waiting = engine.submit(wanted("quick"), save=True)
    bench.saver.error = None
    engine.queue.resume()
    assert (spooled(bench), engine.queue.reason, bench.hand.jobs[-1]) == ([], "", waiting.id)
    record = engine.queue.record("first")
    assert record is not None
    assert [(one.index, one.is_placed, Path(one.path).parent.parent) for one in record.pictures] == [
        (0, True, bench.saver.folder), (1, True, bench.saver.folder),
    ]  # fmt: skip
    assert [Image.open(one.path).getpixel((0, 0)) for one in record.pictures] == [(0, 100, 200), (1, 100, 200)]


def test_the_queue_looks_for_room_by_itself(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webui.engine.dispatch.EVERY", {"storage": 0.02, "back": 0.02})
    engine = filled(bench)
    waiting = engine.submit(wanted("quick"), save=True)
    bench.saver.error = None
    until(lambda: waiting.id in bench.hand.jobs)
    assert (spooled(bench), engine.queue.reason) == ([], "")


def test_a_start_finds_what_waits(bench: Bench) -> None:
    filled(bench).close()
    engine = bench.engine()
    assert len(spooled(bench)) == 2
    assert "no space left" in engine.queue.reason
    engine.close()
    bench.saver.error = None
    engine = bench.engine()
    assert (spooled(bench), engine.queue.reason) == ([], "")
    assert len(engine.history()) == 2


def test_the_next_picture_that_is_saved_takes_the_others_along(bench: Bench) -> None:
    engine = bench.engine()
    job = engine.submit(wanted("quick"), save=True)
    bench.saver.error = FULL
    bench.hand.do(job)
    bench.saver.error = None
    engine.queue.resume()
    assert spooled(bench) == []


def test_where_there_is_no_room_at_all_that_is_told(bench: Bench) -> None:
    (bench.folder / "spool").write_text("in the way")
    engine = filled(bench)
    record = engine.queue.record("first")
    assert record is not None
    assert "in memory alone" in record.notices[0].text
    job = engine.job("first")
    assert job is not None
    assert len(job.result().images) == 2  # for whoever fetches them now


def test_a_kill_between_the_saving_and_the_removing_doubles_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = filled(bench)
    monkeypatch.setattr("webui.output.spool.Spool.remove", lambda self, path: None)
    bench.saver.error = None
    engine.queue.resume()
    monkeypatch.undo()
    engine.close()
    assert len(spooled(bench)) == 2
    engine = bench.engine()
    assert spooled(bench) == []
    assert len(engine.history()) == len(list(bench.saver.folder.rglob("*.png"))) == 2


def test_how_a_job_wants_its_files_outlives_the_program(bench: Bench) -> None:
    saving = Saving(image_format="webp", filename_pattern="[seed]")
    bench.engine().submit(wanted("quick"), save=True, saving=saving, job_id="own way")
    bench.made[0].submit(wanted("quick"), save=True, job_id="usual")
    bench.made[0].close()
    again = bench.engine()
    ways = {job.id: job.saving for job in (again.job("own way"), again.job("usual")) if job is not None}
    assert ways == {"own way": saving, "usual": None}
