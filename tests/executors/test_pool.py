"""Several devices: one request's batches on two workers are one worker's pictures, whatever becomes of a worker."""

import os
import signal
from pathlib import Path

from tests.exact_back import exact_back
from tests.executors.watching import Listener
from tests.processing.reporters import Silent
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult, Progress
from webui.domain.settings import BackSettings
from webui.executors.lanes import LanePlan
from webui.executors.local import LocalExecutor
from webui.executors.pool import PoolExecutor
from webui.executors.protocol import Event, Executor, ImageMade, OnEvent, Progressed

REQUEST = GenerationRequest(
    prompt="a red cat", checkpoint="tiny-sd1", sampler="Euler a", steps=16, seed=5, n_iter=6, width=64, height=64
)


def the_same(made: GenerationResult, expected: GenerationResult) -> bool:
    """Whether all pictures are there, in their order, byte for byte, and the infotexts too."""
    return [(one.index, one.image.tobytes(), one.infotext) for one in made.images] == [
        (one.index, one.image.tobytes(), one.infotext) for one in expected.images
    ]


class Killing:
    """Hears a lane, and kills its worker in the middle of the first batch that it makes."""

    def __init__(self, tell: OnEvent) -> None:
        self.killed = 0
        self.executor: LocalExecutor | None = None
        self._tell = tell

    def __call__(self, event: Event) -> None:
        self._tell(event)
        if isinstance(event, Progressed) and isinstance(event.progress, Progress) and event.progress.step:
            assert self.executor is not None
            if not self.killed:
                self.killed = self.executor.pid
                os.kill(self.killed, signal.SIGKILL)


def test_a_worker_that_is_killed_in_the_middle_of_a_request_loses_and_doubles_nothing(
    tiny_models_dir: Path, tmp_path: Path
) -> None:
    more = {"data_dir": tmp_path, "extensions_dir": tmp_path / "extensions"}
    settings = BackSettings(models_dir=tiny_models_dir, device="cpu", precision="fp32", threads=1, **more)
    expected = exact_back(models_dir=tiny_models_dir, **more).run(REQUEST, Silent())
    victims: list[Killing] = []

    def doomed(own: BackSettings, tell: OnEvent) -> Executor:
        victims.append(Killing(tell))
        victims[0].executor = LocalExecutor(own, victims[0])
        return victims[0].executor

    crew = [LanePlan("cpu (1)", 1, settings, LocalExecutor), LanePlan("cpu (2)", 2, settings, doomed)]
    heard = Listener()
    executor = PoolExecutor(settings, heard, lambda _: crew)
    try:
        executor.load("tiny-sd1")  # waits for both workers, however long torch takes to load
        executor.submit("six", REQUEST)
        ended = heard.end("six")
        made = heard.result("six")
    finally:
        executor.close()
    assert victims[0].killed
    assert the_same(made, expected), ended
    assert sorted(event.image.index for event in heard.of("six") if isinstance(event, ImageMade)) == [*range(6)]
    assert any("signal 9" in notice.text and "made once more" in notice.text for notice in made.notices)
    assert not made.interrupted
