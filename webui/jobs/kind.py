"""What differs between the kinds of long work. Everything else about a job is the same for all of them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Generic, Protocol, TypeVar

from PIL import Image
from pydantic import JsonValue

from webui.domain.result import GeneratedImage, Notice
from webui.domain.saving import Saving


class JobProgress(Protocol):
    """How far a job is."""

    @property
    def fraction(self) -> float:
        """Share of the work done, 0..1."""

    @property
    def preview(self) -> bytes | None:
        """JPEG of what is being made; None where this message brings none."""


class JobResult(Protocol):
    """What a job came to."""

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What the user should know beside it."""


WorkT = TypeVar("WorkT")
ProgressT = TypeVar("ProgressT", bound=JobProgress)
ResultT = TypeVar("ResultT", bound=JobResult)
Work_co = TypeVar("Work_co", covariant=True)


class Worked(Protocol[Work_co]):
    """A job as its kind sees it while it runs."""

    @property
    def id(self) -> str: ...
    @property
    def work(self) -> Work_co: ...
    @property
    def save(self) -> bool: ...
    @property
    def saving(self) -> Saving | None: ...
    @property
    def owner(self) -> str: ...
    @property
    def images(self) -> tuple[GeneratedImage, ...]: ...
    def note_notice(self, notice: Notice) -> None: ...


class JobKind(ABC, Generic[WorkT, ProgressT, ResultT]):
    """One kind of long work: what it is told with, how it is stored, and what is done with what it makes.

    Attributes:
        name: stands in the database and in the log; it never changes.
        kept: how many ended jobs of the kind can still be asked for.
        stored: whether the database keeps its jobs, so that a next run of the program does what this one left; see
            `is_stored`.
        waited_for: whether nobody wants a job of it any more, of which nothing is saved, after the program has ended.
        listed: whether its jobs stand in the list of jobs although they wait for no others.
        advance: what a job does that gets further, in words that stand after "without".
        goes_on_at: where a job goes on during which a worker has ended, in words.
        progress_type: what it tells on its way; called without arguments it gives the progress of a job that waits.
        result_type: what it comes to.
    """

    name: ClassVar[str]
    kept: ClassVar[int]
    stored: ClassVar[bool] = False
    listed: ClassVar[bool] = False
    waited_for: ClassVar[bool] = True
    advance: ClassVar[str] = "getting any further in between"
    goes_on_at: ClassVar[str] = "the last place that it had saved"
    progress_type: type[ProgressT]
    result_type: type[ResultT]

    @abstractmethod
    def title(self, work: WorkT) -> str:
        """The work in a few words, for the log."""

    @abstractmethod
    def with_notices(self, result: ResultT, notices: tuple[Notice, ...]) -> ResultT:
        """The result with these notices instead of its own."""

    def is_light(self, work: WorkT) -> bool:
        """Whether it waits for no other job."""
        return False

    def is_stored(self, work: WorkT) -> bool:
        """Whether the database keeps a job of this work."""
        return self.stored

    def is_repeatable(self, work: WorkT) -> bool:
        """Whether a job whose worker has died is done again; what it has made by then is not made again."""
        return False

    def fixed(self, work: WorkT) -> WorkT:
        """The work with everything drawn that is left to chance, so that doing it twice makes the same."""
        return work

    def is_same(self, asked: WorkT, known: WorkT) -> bool:
        """Whether `known` may be what `fixed` made of `asked`."""
        return asked == known

    def handed(self, work: WorkT, made: frozenset[int]) -> object:
        """What a runner is given of a job of which the pictures of these indices are there already."""
        return work

    def gives_way(self, work: WorkT) -> bool:
        """Whether it ends early where others wait and it is asked to finish, and goes on behind them."""
        return False

    def rest(self, work: WorkT, result: ResultT) -> WorkT | None:
        """What is left of work that gave way, to be done when its turn comes again; None where nothing is."""
        return None

    def reached(self, work: WorkT, options: Mapping[str, JsonValue], place: int) -> WorkT | None:
        """What is left of work that goes on at a place with these options; None where the kind knows no such thing."""
        return None

    def is_working(self, progress: ProgressT) -> bool:
        """Whether the work itself has begun, and not only the loading of what it needs."""
        return True

    def effort(self, work: WorkT) -> float:
        """How much work it is, in a unit of the kind's own; 0 where nobody knows."""
        return 0.0

    def models(self, work: WorkT) -> str:
        """Tells jobs apart that need other models; "" where it needs none."""
        return ""

    def write(self, work: WorkT) -> str:
        """The text that the database keeps of it, where the kind is stored."""
        raise NotImplementedError(f"jobs of the kind {self.name} are not stored")

    def read(self, text: str) -> WorkT | None:
        """What `write` wrote; None where this version of the program cannot read it."""
        raise NotImplementedError(f"jobs of the kind {self.name} are not stored")

    def check(self, work: WorkT) -> None:
        """Whether work that an earlier run of the program took on can still be done. Raises WebuiError."""

    def keep_image(self, job: Worked[WorkT], image: GeneratedImage) -> GeneratedImage:
        """Do with a picture what is to be done as soon as it is there; gives back what the doors are shown."""
        return image

    def finish(self, job: Worked[WorkT], result: ResultT) -> ResultT:
        """Do with the result what is to be done; gives back what the doors are shown."""
        return result

    def images(self, result: ResultT) -> tuple[GeneratedImage, ...]:
        """The pictures of a result that know how they were made."""
        return ()

    def pictures(self, result: ResultT) -> Sequence[Image.Image]:
        """All pictures that a result keeps in memory."""
        return [made.image for made in self.images(result)]


class FrontKind(JobKind[WorkT, ProgressT, ResultT]):
    """A kind whose work needs no models: the front does it itself, in a thread of its own, beside the queue."""

    def is_light(self, work: WorkT) -> bool:
        return True

    @abstractmethod
    def do(self, work: WorkT, report: Callable[[ProgressT], None]) -> ResultT:
        """Do the work. Called in a thread that waits for nobody else.

        Args:
            report: tells how far it is, and raises Cancelled where the work is to stop, so it is called before each
                step; what was begun is undone then.

        Raises:
            WebuiError: an expected failure, in words for users.
        """
