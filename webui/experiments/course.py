"""What an experiment is: requests made one after another, and the pictures that are shown of them at the end."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from PIL import Image

from webui.domain.errors import Cancelled, WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, Notice

Role = Literal["grid", "joined", "cell"]


@dataclass(frozen=True, slots=True)
class Made:
    """What became of one request.

    Attributes:
        result: None where it failed, or was not made because the user stopped.
        error: why there is no result; "" where there is one.
        stopped: whether the user wants no further one made.
    """

    result: GenerationResult | None = None
    error: str = ""
    stopped: bool = False

    @property
    def images(self) -> tuple[GeneratedImage, ...]:
        return self.result.images if self.result is not None else ()

    def first(self) -> GeneratedImage:
        """Its first picture. Raises as `done`."""
        return self.done().images[0]

    def done(self) -> GenerationResult:
        """The result, which has a picture.

        Raises:
            Cancelled: the user stopped before there was one.
            WebuiError: it failed.
        """
        if self.result is not None and self.result.images:
            return self.result
        if self.stopped:
            raise Cancelled("stopped by the user")
        raise WebuiError(self.error or "no picture was made")


@dataclass(frozen=True, slots=True)
class ShownPicture:
    """A picture of the answer.

    Attributes:
        role: a grid of pictures; one joined of several that are not shown themselves; or a request's own picture,
            which was saved when it was made.
    """

    image: GeneratedImage
    role: Role = "cell"


@dataclass(frozen=True, slots=True)
class Shown:
    """What an experiment came to, in the order in which A1111 answers.

    Attributes:
        pictures: those that are shown.
        infotexts: None for a cell that failed. There may be more than pictures: cells that are in the grid alone.
        first_image: index of the first infotext that is no grid's.
        seeds, prompts: of every request's picture, or of one where the script tells of one only.
        result: of one request, for what is the same in all.
        notices: what the user should know.
    """

    pictures: tuple[ShownPicture, ...]
    infotexts: tuple[str | None, ...]
    first_image: int
    seeds: tuple[int, ...]
    prompts: tuple[str, ...]
    result: GenerationResult
    negative_prompts: tuple[str, ...] = ()
    subseeds: tuple[int, ...] = ()
    notices: tuple[Notice, ...] = ()
    interrupted: bool = False

    @classmethod
    def with_one_text(
        cls,
        pictures: Sequence[ShownPicture],
        text: str,
        told_of: Sequence[GeneratedImage],
        result: GenerationResult,
        *,
        interrupted: bool,
    ) -> "Shown":
        """Pictures that were made of many and all have the same infotext.

        Args:
            told_of: those whose seeds and prompts are told.
            result: of one request; its notices are told.
        """
        return cls(
            tuple(pictures),
            tuple(text for _ in pictures),
            0,
            tuple(image.request.seed for image in told_of),
            tuple(image.request.prompt for image in told_of),
            result,
            negative_prompts=tuple(image.request.negative_prompt for image in told_of),
            subseeds=tuple(image.subseed for image in told_of),
            notices=result.notices,
            interrupted=interrupted,
        )


Course = Generator[GenerationRequest, Made, Shown]  # gives a request, is sent what became of it


@dataclass(frozen=True, slots=True)
class Experiment:
    """Requests to come.

    Attributes:
        title: of the script, for the log and for notices.
        count: how many requests there will be.
        course: gives them.
        saves_cells: whether each request's pictures are results in themselves, which are saved like any others.
    """

    title: str
    count: int
    course: Course
    saves_cells: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """Requests that are known before any of them is made.

    Attributes:
        cells: in the order in which they stand in the layout.
        compose: makes what is shown of what became of each, in the same order.
        order: indices of `cells` in the order of work; empty: as they stand.
    """

    cells: tuple[GenerationRequest, ...]
    compose: Callable[[Sequence[Made]], Shown]
    order: tuple[int, ...] = ()

    @property
    def images(self) -> int:
        """How many pictures will be made."""
        return sum(cell.images for cell in self.cells)

    @property
    def steps(self) -> int:
        """How many sampling steps will be made, counted for each picture; those of second passes apart."""
        return sum(cell.images * cell.steps for cell in self.cells)

    def course(self) -> Course:
        """The requests in the order of work. After a stop no further one is given."""
        made = [Made(error="not made: the user stopped before it", stopped=True)] * len(self.cells)
        for index in self.order or range(len(self.cells)):
            made[index] = yield self.cells[index]
            if made[index].stopped:
                break
        if not any(one.images for one in made):
            next((one for one in made if not one.stopped), made[0]).first()  # raises why
        return self.compose(made)


def with_picture(one: GeneratedImage, picture: Image.Image, infotext: str | None = None) -> GeneratedImage:
    """A further picture that a request led to, which has no file yet."""
    text = one.infotext if infotext is None else infotext
    return replace(one, image=picture, infotext=text, path="", attachments=())
