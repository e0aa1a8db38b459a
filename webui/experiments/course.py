"""What an experiment is: requests made one after another, and the pictures that are shown of them at the end."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from PIL import Image

from webui.domain.errors import Cancelled, WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, Notice
from webui.experiments.origin import Origin

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
    def with_their_texts(
        cls,
        images: Sequence[GeneratedImage],
        result: GenerationResult,
        *,
        grid: GeneratedImage | None = None,
        notices: Sequence[Notice],
        interrupted: bool,
    ) -> "Shown":
        """Images, each with its own infotext, after a grid of them where there is one.

        Args:
            result: of one request.
        """
        grids = () if grid is None else (ShownPicture(grid, "grid"),)
        pictures = (*grids, *map(ShownPicture, images))
        return cls(
            pictures,
            tuple(one.image.infotext for one in pictures),
            len(grids),
            tuple(image.request.seed for image in images),
            tuple(image.request.prompt for image in images),
            result,
            negative_prompts=tuple(image.request.negative_prompt for image in images),
            subseeds=tuple(image.subseed for image in images),
            notices=tuple(notices),
            interrupted=interrupted,
        )

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


Place = tuple[int, int, int]  # of a request: along x, y and z


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis as it is told: its name, and the text of each of its values."""

    label: str = ""
    values: tuple[str, ...] = ("",)


@dataclass(frozen=True, slots=True)
class Layout:
    """How pictures are laid out in one: x from left to right, y downwards, a grid for each z beside the one before it.

    Attributes:
        scales: of x, y and z; one that is not used has a single empty value.
        headings: the labels in the legend, for each axis.
        margin: pixels between two pictures of a grid.
    """

    scales: tuple[Scale, Scale, Scale]
    headings: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
    legend: bool = False
    margin: int = 0
    background: str = "#ffffff"

    @property
    def sizes(self) -> Place:
        """How many values each axis has."""
        x, y, z = self.headings
        return len(x), len(y), len(z)


@dataclass(frozen=True, slots=True)
class Experiment:
    """Requests to come.

    Attributes:
        title: of the script, for the log and for notices.
        count: how many requests there will be.
        course: gives them.
        saves_cells: whether each request's pictures are results in themselves, which are saved like any others.
        layout: how the pictures of the requests lie; None: in one row, one request after another.
        places: of the requests, in the order in which they come; empty: along x.
        plan: where no request depends on an earlier one's pictures.
        origin: from what the same experiment is made again; `Script.start` tells it.
    """

    title: str
    count: int
    course: Course
    saves_cells: bool = True
    layout: Layout | None = None
    places: tuple[Place, ...] = ()
    plan: "Plan | None" = None
    origin: Origin | None = None

    @classmethod
    def of(cls, title: str, plan: "Plan", layout: Layout | None = None, places: Sequence[Place] = ()) -> "Experiment":
        """That of a plan; `places` are those of its cells, in their order."""
        known = places or [(number, 0, 0) for number in range(len(plan.cells))]
        in_order = tuple(known[index] for index in plan.order) if plan.order else tuple(known)
        return cls(title, len(plan.cells), plan.course(), layout=layout, places=in_order, plan=plan)

    def place(self, number: int) -> Place:
        """Where the request of this number lies, counted from 0."""
        return self.places[number] if number < len(self.places) else (number, 0, 0)

    @property
    def scales(self) -> tuple[Scale, Scale, Scale]:
        """The axes, for those who show them."""
        if self.layout is not None:
            return self.layout.scales
        return Scale(self.title, tuple(str(number + 1) for number in range(self.count))), Scale(), Scale()


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

    @property
    def pixels(self) -> int:
        """Of all pictures together, as far as their requests tell."""
        return sum(cell.images * cell.width * cell.height for cell in self.cells)

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

    def bare_course(self) -> Course:
        """The same where nobody waits for the pictures: none is held, and none is shown at the end."""
        result: GenerationResult | None = None
        notices: dict[Notice, None] = {}
        stopped = False
        failed = ""
        for index in self.order or range(len(self.cells)):
            made = yield self.cells[index]
            if made.result is not None and made.images:
                result = result or replace(made.result, images=())
                notices |= dict.fromkeys(made.result.notices)
            failed, stopped = failed or made.error, made.stopped
            if stopped:
                break
        if result is None:
            Made(error=failed, stopped=stopped and not failed).first()  # raises why
            raise WebuiError(failed)
        return Shown((), (), 0, (), (), result, notices=tuple(notices), interrupted=stopped)


def loading_least(cells: Sequence[GenerationRequest]) -> tuple[int, ...]:
    """The indices of requests so that those with the same checkpoint and VAE come together, else as they stand."""
    first: dict[tuple[str, str], int] = {}
    for index, cell in enumerate(cells):
        first.setdefault((cell.checkpoint, cell.vae), index)
    return tuple(sorted(range(len(cells)), key=lambda index: first[cells[index].checkpoint, cells[index].vae]))


def with_picture(one: GeneratedImage, picture: Image.Image, infotext: str | None = None) -> GeneratedImage:
    """A further picture that a request led to, which has no file yet."""
    text = one.infotext if infotext is None else infotext
    return replace(one, image=picture, infotext=text, path="", attachments=())
