"""Runs inside a job or an action: who may ask for one, how many there may be, what they share with the outer one."""

import random
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

from webui.domain.errors import BadRequestError, WebuiError
from webui.domain.extensions import ActionProgress
from webui.domain.recording import RecordedPart
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, Notice, Progress
from webui.domain.upscale import Upscale
from webui.processing.plan import SEEDS_END
from webui.processing.ports import Reporter

MAX_DEPTH = 3  # runs inside each other, without the job itself
MAX_RUNS = 1000  # of a job, with those inside its runs
HOOKS = ("edit_request", "edit_pixels", "edit_image", "extra_images", "action")  # no model is at work during these

Aside = Callable[[], AbstractContextManager[None]]


@dataclass(slots=True)
class RunCount:
    """How many runs a job has had inside, at every depth."""

    made: int = 0


@dataclass(frozen=True, slots=True)
class Level:
    """Where a run stands among the runs that it is inside of.

    Attributes:
        above: the extensions that asked for them, the outermost first.
        chosen: the extensions that may join; None: all that are not above.
        count: of the job, shared by all its runs.
    """

    above: tuple[str, ...] = ()
    chosen: frozenset[str] | None = None
    count: RunCount = field(default_factory=RunCount)

    def takes(self, extension: str) -> bool:
        """Whether an extension may join."""
        return extension not in self.above if self.chosen is None else extension in self.chosen

    def below(self, extension: str, chosen: Collection[str] | None) -> "Level":
        """The level of a run that an extension asks for. It chooses among those that may join its own."""
        above = (*self.above, extension)
        if chosen is None:
            allowed = None if self.chosen is None else self.chosen - set(above)
        else:
            allowed = frozenset(chosen) if self.chosen is None else self.chosen & set(chosen)
        return Level(above, allowed, self.count)


class Outer(Protocol):
    """What is around a run: it is told of progress, and knows whether the user wants an end."""

    def wish(self) -> str:
        """As `ports.Reporter.stopped`, but a skip is answered as often as it is asked for."""

    def nested_progress(self, progress: Progress, to_come: int) -> None:
        """The run goes on; `to_come` more are expected."""

    def nested_ended(self, progress: Progress) -> None:
        """It is over; `progress` is what it told last."""


Run = Callable[[GenerationRequest, Reporter, Level], GenerationResult]


class Nesting:
    """The runs inside one job or action. Implements `plugins.host.Nesting`.

    Attributes:
        seeds: of the job: seed and subseed, for runs that name none. -1 while they are not known.
        notices: of the job; those of its runs are added.
        aside: a context in which nothing of the job is on any model.
    """

    def __init__(self, run: Run, outer: Outer, level: Level | None = None, seeds: tuple[int, int] = (-1, -1)) -> None:
        self.seeds = seeds
        self.notices: list[Notice] = []
        self.aside: Aside = nullcontext
        self._run = run
        self._outer = outer
        self._level = level or Level()
        self._drawn: tuple[int, int] | None = None
        self._own = 0  # runs that this job asked for itself
        self._thread: int | None = threading.get_ident()

    def takes(self, extension: str) -> bool:
        return self._level.takes(extension)

    def generate(
        self, extension: str, hook: str, request: GenerationRequest, chosen: Collection[str] | None, to_come: int
    ) -> GenerationResult:
        """See `nested_generation.Generate`."""
        self._check(hook, request)
        level = self._level.below(extension, chosen)
        kept = {name: options for name, options in request.extensions.items() if level.takes(name)}
        seed, subseed = self._seeds(request)
        request = request.with_(extensions=kept, seed=seed, subseed=subseed)
        self._own += 1
        level.count.made += 1
        reporter = NestedReporter(self._outer, to_come)
        try:
            with self.aside():
                result = self._run(request, reporter, level)
        finally:
            self._outer.nested_ended(reporter.last)
        self.notices += [notice for notice in dict.fromkeys(result.notices) if notice not in self.notices]
        return result

    @contextmanager
    def with_aside(self, aside: Aside) -> Iterator[None]:
        """While entered, something of the job is on models, which `aside` takes off for a run."""
        self.aside = aside
        try:
            yield
        finally:
            self.aside = nullcontext

    def close(self) -> None:
        """The job is over: what an extension kept of it makes no more pictures."""
        self._thread = None

    def _check(self, hook: str, request: GenerationRequest) -> None:
        if self._thread is None:
            raise WebuiError("generate was called after the end of the job that it belongs to")
        if threading.get_ident() != self._thread or hook not in HOOKS:
            where = f"in {hook}" if hook and threading.get_ident() == self._thread else "outside of a hook"
            raise WebuiError(f"generate was called {where}; it makes pictures in {', '.join(HOOKS[:-1])} and actions")
        if isinstance(request.task, Upscale):
            raise BadRequestError("task", "generate makes pictures of txt2img and img2img; upscale is a job of its own")
        if len(self._level.above) >= MAX_DEPTH:
            chain = " in ".join(reversed(self._level.above))
            raise WebuiError(f"generate was called in a run of {chain}; at most {MAX_DEPTH} runs go into each other")
        if self._level.count.made >= MAX_RUNS:
            raise WebuiError(f"one job has at most {MAX_RUNS} runs inside; make fewer, or another job")

    def _seeds(self, request: GenerationRequest) -> tuple[int, int]:
        """Seed and subseed: the request's own, else the job's, counted up with each run."""
        if self._drawn is None:
            self._drawn = (random.randrange(SEEDS_END), random.randrange(SEEDS_END))
        given = (request.seed, request.subseed)
        of_job = [own if own >= 0 else drawn for own, drawn in zip(self.seeds, self._drawn, strict=True)]
        seed, subseed = (
            own if own >= 0 else (base + self._own) % SEEDS_END for own, base in zip(given, of_job, strict=True)
        )
        return seed, subseed


class NestedReporter:
    """The reporter of a run inside another: progress and the wish to stop are the outer one's.

    Attributes:
        last: what the run told last.
    """

    def __init__(self, outer: Outer, to_come: int) -> None:
        self.last = Progress()
        self._outer = outer
        self._to_come = max(0, int(to_come))

    def progress(self, progress: Progress) -> None:
        self.last = progress
        self._outer.nested_progress(progress, self._to_come)

    def image(self, image: GeneratedImage) -> None:
        """Nobody but the caller of `generate` gets it."""

    def recorded(self, part: RecordedPart) -> None:
        """A recording is of the job alone."""

    def stopped(self) -> str:
        return self._outer.wish()

    def finishing(self) -> bool:
        """A run is made whole; the job around it ends after its batch."""
        return False


class ActionRuns:
    """An action as what is around runs: it tells its own progress, with the steps of a run behind its text."""

    def __init__(self, progress: Callable[[ActionProgress], None], stopped: Callable[[], bool]) -> None:
        self._progress = progress
        self._stopped = stopped
        self._last = ActionProgress(0, 0, "")

    def progress(self, progress: ActionProgress) -> None:
        """The action tells how far it is."""
        self._last = progress
        self._progress(progress)

    def wish(self) -> str:
        return "interrupt" if self._stopped() else ""

    def nested_progress(self, progress: Progress, to_come: int) -> None:
        text = f"step {progress.step} of {progress.steps}" if progress.phase == "sampling" else progress.phase
        told = f"{self._last.text}: {text}" if self._last.text else text
        self._progress(ActionProgress(self._last.done, self._last.total, told))

    def nested_ended(self, progress: Progress) -> None:
        self._progress(self._last)
