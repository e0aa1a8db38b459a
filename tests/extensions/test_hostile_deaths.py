"""The part of the hostile set that ends or stops its process, at import and at every hook: the culprit is known."""

import queue
import time
from functools import partial
from pathlib import Path
from textwrap import indent

import pytest

from tests.extensions.hostile_bodies import DEADLY, ENDLESS
from tests.extensions.test_hanging import wait_for
from tests.extensions.test_hostile import REQUEST, Kitchen, same
from tests.extensions.toys import JOB_HOOKS, good, member, toy
from tests.forked import births
from tests.processing.reporters import Silent
from webui.domain.errors import WorkerDiedError
from webui.domain.result import GenerationResult
from webui.domain.settings import BackSettings
from webui.executors.birth import Order
from webui.executors.hooklimit import HookLimit
from webui.executors.local import LocalExecutor
from webui.executors.process import Gone, Heard, WorkerProcess
from webui.executors.protocol import Event, Failed, Finished
from webui.executors.running import FACTORY
from webui.plugins.whereabouts import Whereabout

DEADLINE = 0.5  # seconds
PATIENCE = 100.0
PLACES = ("import", "join_job(job)", *JOB_HOOKS, "use_networks(self, networks)", "embeddings(self)")
BODIES = {**DEADLY, **ENDLESS}
EVERYWHERE = ("os._exit",)  # what else ends or stops it is found by the same mark, and tried at three places
ATTACKS = [
    (name, place)
    for name in BODIES
    for place in (PLACES if name in EVERYWHERE else ("import", "pre_step(self, step, latents)", "extra_images(self)"))
]


def write(folder: Path, place: str, body: str) -> None:
    if place == "import":
        toy(folder, "deadly", body)
    elif place == "join_job(job)":
        toy(folder, "deadly", f"@hookimpl\ndef join_job(job):\n{indent(body, '    ')}\n")
    else:
        member(folder, "deadly", f"@hookimpl\ndef {place}:\n{indent(body, '    ')}\n")


@pytest.mark.parametrize(("name", "place"), ATTACKS, ids=lambda one: one.partition("(")[0])
def test_who_ended_or_holds_up_the_process_is_known(tmp_path: Path, name: str, place: str) -> None:
    write(tmp_path, place, BODIES[name])
    good(tmp_path)
    told: queue.SimpleQueue[Heard | Gone] = queue.SimpleQueue()
    settings = BackSettings(extensions_dir=tmp_path)
    process = WorkerProcess(Order("tests.extensions.dying:main", FACTORY, settings, {}), births(), told.put)
    try:
        if name in DEADLY:
            gone = next(one for one in iter(partial(told.get, timeout=PATIENCE), None) if isinstance(one, Gone))
            assert gone.how != "exit code 0"
            (culprit,) = process.whereabouts()
        else:
            culprit = stuck(process)
    finally:
        process.kill("the test is over")
    assert (culprit.extension, culprit.hook) == ("deadly", place.partition("(")[0])


def stuck(process: WorkerProcess) -> Whereabout:
    """The one at which the process makes no progress."""
    limit, end = HookLimit(DEADLINE), time.monotonic() + PATIENCE
    while (found := limit.stuck(process.whereabouts())) is None:
        if time.monotonic() > end:
            raise TimeoutError("nothing was ever stuck")
        time.sleep(limit.remaining())
    return found


def test_in_a_real_worker_the_third_job_has_the_pixels_that_it_has_without_it(
    tmp_path: Path, tiny_models_dir: Path
) -> None:
    plain = (
        Kitchen(tmp_path / "plain", tiny_models_dir).pipeline(Path("nowhere")).run(REQUEST, Silent()).images[0].image
    )
    write(tmp_path / "e", "pre_step(self, step, latents)", DEADLY["os._exit"])
    events: list[Event] = []
    settings = BackSettings(
        data_dir=tmp_path / "data", extensions_dir=tmp_path / "e", models_dir=tiny_models_dir, device="cpu",
        precision="fp32", preview_every=0,
    )  # fmt: skip
    executor = LocalExecutor(settings, events.append, births=births())
    try:
        for job_id in ("first", "second"):
            executor.submit(job_id, REQUEST)
            failed = wait_for(events, Failed, job_id)
            assert isinstance(failed, Failed)
            assert isinstance(failed.error, WorkerDiedError)
            assert failed.error.culprit == "deadly"
        executor.submit("third", REQUEST.with_(extensions={"deadly": {}}))
        done = wait_for(events, Finished, "third")
        assert isinstance(done, Finished)
        assert isinstance(done.outcome, GenerationResult)
        assert same(done.outcome, plain)
        told = [notice.text for notice in done.outcome.notices if notice.source == "deadly"]
        assert len(told) == 1
        assert "pre_step: exit code 9; pre_step: exit code 9" in told[0]
        assert "Failed extensions: deadly" in done.outcome.images[0].infotext
    finally:
        executor.close()
