"""One generation whose batches are made by several devices: what is left, what is in work, and the result of all.

Bookkeeping alone: nothing is sent or told here.
"""

from dataclasses import dataclass, field, replace

from webui.domain.errors import Cancelled
from webui.domain.planned_image import SettledPlan
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, Notice, Progress
from webui.executors.protocol import Continuation, Failed, Finished, Shard, Work
from webui.executors.running import salvaged
from webui.imaging.preview_sheet import joined_previews

FIRST = -1  # the number of the first missing batch, while nobody knows the plan


def is_splittable(work: Work) -> bool:
    """Whether it is a generation that is made batch by batch."""
    request = work.request if isinstance(work, Continuation) else work
    return isinstance(request, GenerationRequest) and request.task.kind != "upscale"


@dataclass(slots=True)
class Piece:
    """A batch in work.

    Attributes:
        lane: the number of its device.
        skipped: whether the user wanted its end.
        told_to_stop: whether the lane was told so because the job is to end.
        preview: the latest, JPEG.
    """

    batch: int
    lane: int
    skipped: bool = False
    told_to_stop: bool = False
    progress: Progress | None = None
    preview: bytes | None = None

    @property
    def inside(self) -> float:
        """Which share of the batch is done."""
        now = self.progress
        return min(1.0, now.step / now.steps) if now is not None and now.steps else 0.0


@dataclass(slots=True)
class SplitJob:
    """A generation in work.

    Attributes:
        there: indices of the pictures that were made before it was handed over.
        plan: None before the first of its batches has told it.
        waiting: the batches that nobody has yet.
        in_work: those that somebody has, by the name of the piece.
        lost: by batch, the lanes whose worker ended while they made it.
        stopping: whether the user wants its end.
    """

    id: str
    request: GenerationRequest
    there: frozenset[int] = frozenset()
    plan: SettledPlan | None = None
    waiting: list[int] = field(default_factory=lambda: [FIRST])
    in_work: dict[str, Piece] = field(default_factory=dict)
    lost: dict[int, list[int]] = field(default_factory=dict)
    stopping: bool = False
    _finishing: bool = False
    _cut: bool = False  # whether batches were left out because of a wish
    _error: Exception | None = None
    _traceback: str = ""
    _done: int = 0  # batches that have ended
    _images: dict[int, GeneratedImage] = field(default_factory=dict)
    _results: list[GenerationResult] = field(default_factory=list)
    _notices: list[Notice] = field(default_factory=list)

    @classmethod
    def of(cls, job_id: str, work: Work) -> "SplitJob":
        """The job of a work that is splittable."""
        if isinstance(work, Continuation):
            return cls(job_id, work.request, work.made)
        if not isinstance(work, GenerationRequest):
            raise TypeError(f"{type(work).__name__} has no batches")
        return cls(job_id, work)

    @property
    def is_light(self) -> bool:
        return False

    @property
    def has_lane(self) -> bool:
        """Whether a device works for it."""
        return bool(self.in_work)

    @property
    def checkpoint(self) -> str:
        """What it needs to be loaded."""
        return self.request.checkpoint

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to be done or waited for."""
        return not self.waiting and not self.in_work

    def batch_for(self, lane: int, others: int) -> int | None:
        """The batch that a lane should make next; None where there is none for it.

        Args:
            others: how many further lanes there are that could make one. A lane on which a batch was lost is given that
                one again only where there is no other.
        """
        if self.plan is None and self.in_work:
            return None
        return next((one for one in self.waiting if not others or lane not in self.lost.get(one, ())), None)

    def hand_out(self, name: str, batch: int, lane: int) -> Shard:
        """Give a batch to a lane, under a name; what the lane is sent."""
        self.waiting.remove(batch)
        self.in_work[name] = Piece(batch, lane)
        made = self.there | self._images.keys()
        if self.plan is not None:
            missing = set(self.plan.indices(batch)) - made
            made = frozenset(range(len(self.plan.images))) - missing
        return Shard(self.request, frozenset(made), self.plan)

    def settle(self, name: str, plan: SettledPlan) -> None:
        """The first batch has told what the whole job is."""
        if self.plan is not None or name not in self.in_work:
            return
        self.plan = plan
        missing = [one for one in range(len(plan.sizes)) if not self.there.issuperset(plan.indices(one))]
        self._done = len(plan.sizes) - len(missing)
        self.in_work[name].batch = missing[0] if missing else 0
        self.lost = {missing[0]: self.lost[FIRST]} if missing and FIRST in self.lost else {}
        self.waiting = missing[1:]
        if self._finishing or self.stopping or self._error:
            self._drop_waiting()

    def progressed(self, name: str, progress: Progress) -> Progress:
        """A batch is so far; gives back how far the job is, with the previews of all batches in work."""
        piece = self.in_work[name]
        piece.progress, piece.preview = progress, progress.preview or piece.preview
        told = sorted((one for one in self.in_work.values() if one.progress is not None), key=lambda one: one.batch)
        leading = told[0]
        now = leading.progress or progress
        batch = max(0, leading.batch) if self.plan is not None else now.batch
        done = self._done + sum(one.inside for one in told)
        shown = [one.preview for one in told if one.preview is not None]
        return replace(
            now,
            batch=batch,
            batches=len(self.plan.sizes) if self.plan is not None else now.batches,
            preview=joined_previews(shown) if progress.preview is not None else None,
            images=len(self.plan.images) if self.plan is not None else now.images,
            beside=done - batch - leading.inside if self.plan is not None else 0.0,
        )

    def takes(self, image: GeneratedImage) -> bool:
        """Note a picture; whether it is a new one."""
        if image.index in self.there or image.index in self._images:
            return False
        self._images[image.index] = image
        return True

    def finished(self, name: str, result: GenerationResult) -> None:
        """A batch has ended well, or was stopped."""
        piece = self.in_work.pop(name)
        self._done += 1
        self._results.append(result)
        for image in result.images:
            self._images.setdefault(image.index, image)
        if result.interrupted and not piece.skipped and not self.stopping:  # an extension wants no more
            self.stop()

    def cancelled(self, name: str, error: Exception) -> None:
        """A batch has ended without a picture because somebody wanted that."""
        piece = self.in_work.pop(name)
        self._done += 1
        if not piece.skipped and not self.stopping:
            self.fail(error)

    def failed(self, name: str, error: Exception, traceback: str = "") -> None:
        """A batch has ended with an error, and so does the job."""
        self.in_work.pop(name, None)
        self.fail(error, traceback)

    def was_lost(self, name: str, error: Exception, device: str) -> None:
        """The worker has ended while it made a batch. It is made once more, or the job fails."""
        piece = self.in_work.pop(name)
        before = self.lost.setdefault(piece.batch, [])
        before.append(piece.lane)
        if self.stopping or self._error:
            return
        if len(before) > 1:
            self.fail(error)
            return
        self.waiting = sorted([piece.batch, *self.waiting])
        self._notices.append(Notice("jobs", f"{device}: {error} Its batch was made once more."))

    def give_back(self, name: str) -> None:
        """A batch was not begun, and waits again."""
        piece = self.in_work.pop(name)
        if not (self.stopping or self._error):
            self.waiting = sorted([piece.batch, *self.waiting])

    def skip(self) -> str | None:
        """The user wants the end of the first batch in work; its name, None where there is none."""
        pieces = sorted(self.in_work.items(), key=lambda item: item[1].batch)
        going = next(((name, piece) for name, piece in pieces if not piece.skipped), None)
        if going is None:
            return None
        going[1].skipped = True
        return going[0]

    def finish(self) -> None:
        """Begin no further batch; of a job that has not begun the first is made."""
        self._finishing = True
        if self.in_work or self._done or self.plan is not None:
            self._drop_waiting()

    def stop(self) -> None:
        """The user wants the end of the job."""
        self.stopping = self._cut = True
        self._drop_waiting()

    def fail(self, error: Exception, traceback: str = "") -> None:
        """The job ends with an error, the first one that it is told."""
        if self._error is None:
            self._error, self._traceback = error, traceback
        self.waiting = []

    @property
    def is_ending(self) -> bool:
        """Whether what is in work has to end now."""
        return self.stopping or self._error is not None

    def end(self) -> Finished | Failed:
        """How a job that is over has ended."""
        if self._error is not None and not (isinstance(self._error, Cancelled) and self._images):
            return Failed(self.id, self._error, self._traceback)
        if not self._images and not (self.there and self._results):
            return Failed(self.id, Cancelled("stopped by the user before the first image was made"))
        return Finished(self.id, self._joined())

    def _drop_waiting(self) -> None:
        self._cut = self._cut or bool(self.waiting)
        self.waiting = []

    def _joined(self) -> GenerationResult:
        images = tuple(self._images[index] for index in sorted(self._images))
        order = sorted(self._results, key=lambda one: one.images[0].index if one.images else len(self._images))
        base = order[0] if order else salvaged(self.request, list(images))
        timings: dict[str, float] = {}
        for result in order:
            for what, seconds in result.timings.items():
                timings[what] = timings.get(what, 0.0) + seconds
        extras = {(one.size, one.mode, one.tobytes()): one for result in order for one in result.extras}
        notices = dict.fromkeys(notice for result in order for notice in result.notices)
        return replace(
            base,
            images=images,
            notices=(*notices, *self._notices),
            timings=timings,
            interrupted=self._cut or self._error is not None,
            extras=tuple(extras.values()),
        )
