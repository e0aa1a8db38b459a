"""A request of six batches on two workers, one of which is killed in the middle, wherever they run."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.exact_back import exact_back
from tests.executors.watching import Listener
from tests.processing.reporters import Silent
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult, Progress
from webui.domain.settings import BackSettings
from webui.executors.lanes import Crew, LanePlan
from webui.executors.pool import PoolExecutor
from webui.executors.protocol import Event, Executor, ImageMade, OnEvent, Progressed

REQUEST = GenerationRequest(
    prompt="a red cat", checkpoint="tiny-sd1", sampler="Euler a", steps=8, seed=5, n_iter=6, width=64, height=64
)


def facts(result: GenerationResult) -> list[tuple[int, bytes, str]]:
    """All pictures in their order, byte for byte, and their infotexts."""
    return [(one.index, one.image.tobytes(), one.infotext) for one in result.images]


class Killing:
    """Hears a lane, and kills its process in the middle of the first batch that it makes."""

    def __init__(self, pid: Callable[[Executor], int], tell: OnEvent) -> None:
        self.killed = 0
        self.executor: Executor | None = None
        self._pid = pid
        self._tell = tell

    def __call__(self, event: Event) -> None:
        self._tell(event)
        if isinstance(event, Progressed) and isinstance(event.progress, Progress) and event.progress.step:
            assert self.executor is not None
            if not self.killed:
                self.killed = self._pid(self.executor)
                os.kill(self.killed, signal.SIGKILL)


def check_a_kill(crew: Crew, pid: Callable[[Executor], int], models_dir: Path, folder: Path) -> None:
    """All six pictures, byte-identical to one worker's, none told twice, and a notice of the death.

    Args:
        crew: two lanes on the CPU; the second one is killed.
        pid: the process of a lane's executor.
    """
    more = {"data_dir": folder, "extensions_dir": folder / "extensions"}
    settings = BackSettings(models_dir=models_dir, device="cpu,cpu", precision="fp32", threads=1, **more)
    expected = exact_back(models_dir=models_dir, **more).run(REQUEST, Silent())
    victims: list[Killing] = []

    def doomed(make: Callable[[BackSettings, OnEvent], Executor], own: BackSettings, tell: OnEvent) -> Executor:
        victims.append(Killing(pid, tell))
        victims[0].executor = make(own, victims[0])
        return victims[0].executor

    def with_victim(asked: BackSettings) -> tuple[LanePlan, ...]:
        first, second = crew(asked)
        return first, replace(second, make=lambda own, tell: doomed(second.make, own, tell))

    heard = Listener()
    executor = PoolExecutor(settings, heard, with_victim)
    try:
        executor.load("tiny-sd1")  # waits for both, however long torch takes to load
        executor.submit("six", REQUEST)
        made = heard.result("six")
    finally:
        executor.close()
    assert victims[0].killed
    assert facts(made) == facts(expected)
    assert sorted(event.image.index for event in heard.of("six") if isinstance(event, ImageMade)) == [*range(6)]
    assert [notice.text for notice in made.notices if "made once more" in notice.text]
    assert not made.interrupted
