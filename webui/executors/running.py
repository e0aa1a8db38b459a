"""Running one job in a back, wherever the back lives: the reporter it is given, and how its end becomes an event."""

import threading
import time
import traceback
from collections.abc import Callable
from typing import Literal, Protocol, runtime_checkable

from webui.domain.errors import Cancelled, WebuiError
from webui.domain.extensions import ActionCall, ActionOutcome, ActionProgress, ActionTalk, ExtensionInfo
from webui.domain.recording import RecordedPart
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, ModelFacts, Progress
from webui.executors.protocol import (
    BackWork,
    Continuation,
    Event,
    Failed,
    Finished,
    ImageMade,
    Progressed,
    Reached,
    Ready,
    Recorded,
    Settled,
    Shard,
    Work,
)
from webui.jobs.kind import JobProgress, JobResult
from webui.processing.ports import Reporter, Share

PROGRESS_EVERY = 0.2  # seconds between two progress events that say nothing but a new step

# The maker of the program's back is told by name, because importing it would load torch in the front.
FACTORY = "webui.processing.back:build"

StopKind = Literal["skip", "finish", "interrupt"]


class Back(Protocol):
    """What owns the models and makes the images. Called from one thread only."""

    def run(
        self, request: GenerationRequest, reporter: Reporter, made: frozenset[int] = frozenset()
    ) -> GenerationResult:
        """Make the images of one request, but for those whose indices are in `made`.

        Raises:
            Cancelled: the reporter said "interrupt" and there is nothing to show.
            WebuiError: an expected failure, in words for users.
        """

    def load(self, checkpoint: str) -> None:
        """Load a checkpoint (any alias); raises WebuiError."""

    def close(self) -> None:
        """Give up what is held."""


@runtime_checkable
class Sharing(Protocol):
    """A back that makes single batches of jobs that several devices make."""

    def run_share(
        self, request: GenerationRequest, reporter: Reporter, made: frozenset[int], share: Share
    ) -> GenerationResult:
        """Make the first batch of which an image is not in `made`; see `Back.run`."""


@runtime_checkable
class Hosting(Protocol):
    """A back that has extensions."""

    def extensions(self) -> tuple[ExtensionInfo, ...]:
        """Those found, with the failures."""

    def act(
        self,
        call: ActionCall,
        progress: Callable[[ActionProgress], None],
        stopped: Callable[[], bool],
        talk: ActionTalk = ActionTalk(),
    ) -> ActionOutcome:
        """Do an action; called from a thread of its own where it is light.

        Raises:
            Cancelled: it was stopped.
            WebuiError: an expected failure, in words for users.
        """


class Stop:
    """What the user asked of a running job; set in one thread, read in another."""

    def __init__(self) -> None:
        self._interrupted = threading.Event()
        self._skipped = threading.Event()
        self._finishing = threading.Event()

    def ask(self, kind: StopKind) -> None:
        """Note the wish. A skip is for one batch; the others stay."""
        {"interrupt": self._interrupted, "skip": self._skipped, "finish": self._finishing}[kind].set()

    @property
    def interrupted(self) -> bool:
        return self._interrupted.is_set()

    @property
    def finishing(self) -> bool:
        return self._finishing.is_set()

    def take(self) -> str:
        """What to do now: "interrupt" as often as it is asked, "skip" once, else ""."""
        if self._interrupted.is_set():
            return "interrupt"
        if self._skipped.is_set():
            self._skipped.clear()  # or the next batch would be skipped too
            return "skip"
        return ""


class JobReporter:
    """The reporter of one job: turns what the back says into events, few enough not to slow it down."""

    def __init__(
        self, job_id: str, stop: Stop, emit: Callable[[Event], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.made: list[GeneratedImage] = []
        self._job_id = job_id
        self._stop = stop
        self._emit = emit
        self._clock = clock
        self._last = Progress()
        self._sent = float("-inf")

    def progress(self, progress: Progress) -> None:
        """Send it on if it shows a preview, another phase or batch, or if the last one was long enough ago."""
        now = self._clock()
        place = (progress.phase, progress.batch, progress.batches)
        moved = place != (self._last.phase, self._last.batch, self._last.batches)
        if progress.preview is not None or moved or now - self._sent >= PROGRESS_EVERY:
            self._emit(Progressed(self._job_id, progress))
            self._last, self._sent = progress, now

    def image(self, image: GeneratedImage) -> None:
        """Send an image at once, so that it survives whatever happens next."""
        self.made.append(image)
        self._emit(ImageMade(self._job_id, image))

    def recorded(self, part: RecordedPart) -> None:
        """Send what an extension recorded."""
        self._emit(Recorded(self._job_id, part))

    def stopped(self) -> str:
        """See `Stop.take`."""
        return self._stop.take()

    def finishing(self) -> bool:
        """Whether no further batch is to be begun."""
        return self._stop.finishing


def ready(back: Back) -> Ready:
    """What is told of a back that has just been made."""
    return Ready(back.extensions() if isinstance(back, Hosting) else ())


def perform(back: Back, job_id: str, work: Work, stop: Stop, emit: Callable[[Event], None]) -> Finished | Failed:
    """Run a job to its end and say how it ended. Events on the way go to `emit`; the last one is returned.

    An interrupted job with images is finished; without any it failed with `Cancelled`.
    """
    if isinstance(work, ActionCall | BackWork):
        return _do(back, job_id, work, stop, emit)
    request, there = (work.request, work.made) if isinstance(work, Continuation | Shard) else (work, frozenset[int]())
    share = Share(work.plan, lambda plan: emit(Settled(job_id, plan))) if isinstance(work, Shard) else None
    reporter = JobReporter(job_id, stop, emit)
    try:
        result = _result(back, request, there, share, reporter, stop)
    except Cancelled as cancelled:
        if reporter.made:
            return Finished(job_id, salvaged(request, reporter.made))
        return Failed(job_id, cancelled)
    except (Exception, SystemExit) as error:
        return Failed(job_id, error if isinstance(error, Exception) else _exited(error), traceback.format_exc())
    return Finished(job_id, result)


def _do(
    back: Back, job_id: str, work: ActionCall | BackWork, stop: Stop, emit: Callable[[Event], None]
) -> Finished | Failed:
    try:
        if stop.interrupted:
            raise Cancelled("stopped by the user before it began")  # noqa: TRY301
        talk = ActionTalk(
            lambda part: emit(Recorded(job_id, part)),
            lambda: stop.finishing,
            lambda options, place: emit(Reached(job_id, options, place)),
        )
        outcome = _outcome(
            back, work, lambda progress: emit(Progressed(job_id, progress)), lambda: stop.interrupted, talk
        )
    except (Exception, SystemExit) as error:
        known = error if isinstance(error, Exception) else _exited(error)
        return Failed(job_id, known, "" if isinstance(error, WebuiError) else traceback.format_exc())
    return Finished(job_id, outcome)


def _outcome(
    back: Back,
    work: ActionCall | BackWork,
    report: Callable[[JobProgress], None],
    stopped: Callable[[], bool],
    talk: ActionTalk,
) -> JobResult:
    if isinstance(work, BackWork):
        return work.perform(back, report, stopped)
    if not isinstance(back, Hosting):
        raise WebuiError("this back has no extensions")
    return back.act(work, report, stopped, talk)


def _result(
    back: Back,
    request: GenerationRequest,
    there: frozenset[int],
    share: Share | None,
    reporter: JobReporter,
    stop: Stop,
) -> GenerationResult:
    """What the back makes of it; raises Cancelled where there is nothing to show."""
    if stop.interrupted:
        raise Cancelled("stopped by the user before it began")
    if share is None:
        result = back.run(request, reporter, there) if there else back.run(request, reporter)
    elif isinstance(back, Sharing):
        result = back.run_share(request, reporter, there, share)
    else:
        raise WebuiError("this back makes no parts of jobs; give it whole ones")
    if result.interrupted and not (result.images or there):
        raise Cancelled("stopped by the user before the first image was made")
    return result


def _exited(error: SystemExit) -> RuntimeError:
    """An extension that calls sys.exit ends its job, not the worker."""
    return RuntimeError(f"something in the job called sys.exit({error.code!r})")


def salvaged(request: GenerationRequest, images: list[GeneratedImage]) -> GenerationResult:
    """A result of the images that were reported before the back gave up without returning one."""
    checkpoint = images[0].request.checkpoint or request.checkpoint
    name = checkpoint.replace("\\", "/").rpartition("/")[2].partition(" [")[0]
    return GenerationResult(
        request=request,
        images=tuple(images),
        model=ModelFacts(checkpoint=name.removesuffix(".safetensors"), checkpoint_hash=""),
        interrupted=True,
    )
