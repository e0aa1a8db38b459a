"""The contract of executors: the one door between the front (engine, no torch) and backs that make images.

Only plain data crosses it. An executor takes jobs, runs up to `capacity` of them at once in one or more backs, in this
process or elsewhere, and tells through events what becomes of them. `tests/executors/test_contract.py` holds every
executor to what is written here.

**Making one.** A row in `webui/executors/registry.py` names a function of `(BackSettings, OnEvent)` that returns an
executor at once, whether or not its back is there by then; importing it must not load torch.

**Events.** They are told one at a time, in threads of the executor's choice, and `on_event` returns soon.

* `Ready` comes whenever a new back is there, and before any `Progressed`, `ImageMade` or `Finished` of that back's
  jobs.
* Of each job that `submit` took there is exactly one `Finished` or `Failed`, and nothing of that job follows it. A
  `Started` comes at most once and before everything else of the job; a job that never had its turn has only `Failed`.
  `Started` may come while the back is still being made.
* A generation may be handed over as a `Continuation`, which names the pictures that are there already. Those are
  neither told again nor part of the result, and a batch that is there as a whole is not made again.
* A `Shard` is one batch of a generation. Executors of one device are handed it by one that has several; where it brings
  no plan, a `Settled` is told before its first `ImageMade`.
* Jobs start in the order in which they were submitted. Light actions wait for none of them and count for no `capacity`.
* `Finished` carries a `GenerationResult` where the work was a `GenerationRequest`, an `ActionOutcome` where it was an
  `ActionCall`, and what its `perform` returned where it was a `BackWork`; `Progressed` likewise. An interrupted
  generation that has made an image ends with `Finished`, one that has none with `Failed` and `Cancelled`. Images of a
  result are in the order of their indices; where several devices make them, they are told as they are made.
* What the back raises ends its job with `Failed`: errors of `webui.domain.errors` as they are; everything else with the
  traceback's text, and if the error crosses a process it arrives as a RuntimeError that names its kind.

**Failures of the executor's own.** No job waits where nobody can do it: a back that cannot be built, or that is lost
again and again before it is ready, fails all jobs that the executor has, and the loads, with `BackUnavailableError`,
which tells the reason; the next job or load is a reason to try again. A back that is lost fails the jobs that it had in
work with `WorkerDiedError`. Those that it had not been given yet go to the next back, whether their turn had come or
not. Whether a failed job is handed over again is for the engine to decide; an executor of several devices has a batch
that was lost made once more on another one before it fails the job.

**Threads.** Every method may be called from any thread, also from inside `on_event`, but for `load`, which would wait
there for itself.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from pydantic import JsonValue

from webui.domain.extensions import ActionCall, ActionOutcome, ActionProgress, ExtensionInfo
from webui.domain.planned_image import SettledPlan
from webui.domain.recording import RecordedPart
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, Progress
from webui.domain.settings import BackSettings
from webui.jobs.kind import JobProgress, JobResult


@dataclass(frozen=True, slots=True)
class Ready:
    """A new back is there and has these extensions, those that could not be loaded among them."""

    extensions: tuple[ExtensionInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class Started:
    """The job's turn has come."""

    job_id: str


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far the job is: `Progress` of a generation, `ActionProgress` of an action, else its kind's own."""

    job_id: str
    progress: Progress | ActionProgress | JobProgress


@dataclass(frozen=True, slots=True)
class ImageMade:
    """Sent as soon as an image is decoded, so that it is saved whatever happens later."""

    job_id: str
    image: GeneratedImage


@dataclass(frozen=True, slots=True)
class Recorded:
    """An extension recorded something of the job, which is kept for a while whatever becomes of it."""

    job_id: str
    part: RecordedPart


@dataclass(frozen=True, slots=True)
class Reached:
    """An action has got to a place from which it goes on with these options, whatever ends meanwhile."""

    job_id: str
    options: Mapping[str, JsonValue]
    place: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The job ended well (or was interrupted with images to show); the images of a `GenerationResult` are complete."""

    job_id: str
    outcome: GenerationResult | ActionOutcome | JobResult


@dataclass(frozen=True, slots=True)
class Failed:
    """The job ended without images. `error` is a WebuiError for expected failures; its text is for users."""

    job_id: str
    error: Exception
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Settled:
    """What was drawn for the whole job of a shard."""

    job_id: str
    plan: SettledPlan


JobEvent = Started | Progressed | Settled | ImageMade | Recorded | Reached | Finished | Failed
Event = Ready | JobEvent
OnEvent = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Continuation:
    """The rest of a generation of which some pictures are there already.

    Attributes:
        made: the indices of those pictures.
    """

    request: GenerationRequest
    made: frozenset[int]


@dataclass(frozen=True, slots=True)
class Shard:
    """One batch of a generation: the first of which a picture is missing.

    Attributes:
        made: the indices of the pictures that are there, or that others make.
        plan: what was drawn for the whole job; None: it is drawn for this batch, and told.
    """

    request: GenerationRequest
    made: frozenset[int]
    plan: SettledPlan | None


class BackWork(ABC):
    """Work of a further kind, which says itself what the back does for it, so that executors need not know the kind.

    It crosses to the back and is therefore plain data in a class of a module, which loads no torch when it is imported.
    The same holds for its progress and its outcome.
    """

    @property
    def light(self) -> bool:
        """Whether it waits for no other job and runs beside them, in a thread of its own."""
        return False

    @abstractmethod
    def describe(self) -> str:
        """What the back does, in words that stand after "while"."""

    @abstractmethod
    def perform(self, back: object, report: Callable[[JobProgress], None], stopped: Callable[[], bool]) -> JobResult:
        """Do it; called in the back.

        Args:
            back: the one that is there, of which the kind knows what it needs.
            report: tells how far it is.
            stopped: whether the user wants it to end; it is asked often.

        Raises:
            Cancelled: it was stopped.
            WebuiError: an expected failure, in words for users.
        """


Work = GenerationRequest | Continuation | Shard | ActionCall | BackWork  # what a job does


def is_light(work: Work) -> bool:
    """Whether it waits for no other job."""
    return isinstance(work, ActionCall | BackWork) and work.light


class Executor(Protocol):
    """Runs jobs; see the contract at the top of this module."""

    @property
    def capacity(self) -> int:
        """How many jobs run at once, at least 1; light actions run beside them. The same for the executor's life."""

    def running(self) -> tuple[str, ...]:
        """The ids of the jobs whose `Started` was told and whose end was not, in the order of their start.

        It is true inside `on_event` too: a job is among them in its `Started`, and no more in its last event.
        """

    def submit(self, job_id: str, work: Work) -> None:
        """Take a job; where it runs elsewhere, return at once.

        Raises:
            WebuiError: the executor is closed.
        """

    def cancel(self, job_id: str) -> None:
        """Stop this job within a step, or take it out if it waits; unknown and ended jobs are ignored."""

    def skip(self, job_id: str) -> None:
        """End the batch that this job has in work, the first of several, and go on with its next; ignored unless it
        runs."""

    def finish(self, job_id: str) -> None:
        """End this job after the batches that it has in work, with what there is then; ignored unless it runs."""

    def load(self, checkpoint: str) -> None:
        """Load a checkpoint (any alias) ahead of the next job and wait for it.

        Raises:
            WebuiError: it cannot be loaded, or the executor is closed.
        """

    def renew(self, settings: BackSettings) -> None:
        """Go on with a new back of these settings once the jobs in work have ended; those that wait go to it."""

    def close(self) -> None:
        """End the backs; jobs that have not ended fail. Returns when that is done; a second call does nothing."""
