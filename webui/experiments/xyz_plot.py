"""X/Y/Z plot: a grid of pictures that differ by up to three things, with a legend."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from webui.domain.catalog import SAMPLERS, split_combined
from webui.domain.errors import BadRequestError
from webui.domain.request import GenerationRequest
from webui.experiments.axes import NOTHING, OF_EXTENSIONS, SAME_SAMPLER, Axis
from webui.experiments.axis_choice import axes_of, axis_named
from webui.experiments.axis_values import Value, as_text, texts_of, values_of
from webui.experiments.course import Experiment, Layout, Place, Plan, Scale
from webui.experiments.origin import SEEDS_END, with_seeds
from webui.experiments.script import Argument, Script, Surroundings, refused
from webui.experiments.xyz_sheet import Sheet

TITLE = "X/Y/Z plot"
MOST_CELLS = 10_000
OLD_COUNTS = (14, 15)  # of arguments
SEEDS = ("Seed", "Var. seed")  # axes of which -1 stands for a seed that is drawn
LOST_KEYS: Mapping[str, str] = MappingProxyType(  # axes whose key A1111 writes for cells and not for grids
    {
        "RNG source": "RNG",
        "Token merging ratio": "Token merging ratio",
        "Token merging ratio high-res": "Token merging ratio hr",
    }
)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the three axes with its values.

    Attributes:
        written: the values as infotexts tell them, before seeds were drawn.
    """

    axis: Axis
    values: tuple[Value, ...]
    written: str

    @property
    def is_used(self) -> bool:
        return self.axis.label != NOTHING

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.axis.told(value) for value in self.values)

    @property
    def scale(self) -> Scale:
        """The axis as it is told beside a plot, where each value needs no name of the axis."""
        if not self.is_used:
            return Scale()
        bare = replace(self.axis, named=False)
        told = (f"{round(one, 8):g}" if isinstance(one, float) else bare.told(one) for one in self.values)
        return Scale(self.axis.label, tuple(told))

    def details(self, name: str, *, fixed: bool) -> dict[str, object]:
        """The items of infotexts that tell of this axis, the `name`d one of the plot."""
        if not self.is_used:
            return {}
        found: dict[str, object] = {f"{name} Type": self.axis.label, f"{name} Values": self.written}
        if fixed and self.axis.label in SEEDS:
            found[f"Fixed {name} Values"] = ", ".join(str(value) for value in self.values)
        return found


@dataclass(frozen=True, slots=True)
class Options:
    """Attributes:
    legend: draw the labels.
    lone_images, sub_grids: show the single pictures, and a grid for each value of Z.
    keep_random: seeds of -1 stay, so that each cell draws its own.
    vary_seeds: for each axis, whether the seed counts up along it.
    margin: pixels between cells; only with a legend.
    """

    legend: bool
    lone_images: bool
    sub_grids: bool
    keep_random: bool
    vary_seeds: tuple[bool, bool, bool]
    margin: int


def side_of(
    axis: Axis, text: str, chosen: Sequence[str], place: int, around: Surroundings, *, from_text: bool, fixed: bool
) -> Side:
    """An axis with its values.

    Args:
        text, chosen: the values, of which the text counts for axes without choices, for all with `from_text`, and where
            nothing is chosen.
        place: of the text among the arguments.
        fixed: draw seeds of -1 now. Values that are appended later leave those before them as they are.

    Raises:
        BadRequestError: the values cannot be read, or there are none.
    """
    if axis.label == NOTHING:
        return Side(axis, ("",), "")
    by_list = axis.is_chosen and not from_text and bool(chosen or not text.strip())
    texts = tuple(chosen) if by_list else texts_of(text)
    try:
        values = values_of(axis.kind, texts)
    except ValueError as error:
        raise refused(place, f"{axis.label}: {error}") from None
    if not values:
        raise refused(place + by_list, f"{axis.label}: has no values")
    if axis.source == OF_EXTENSIONS:
        _refuse_unknown_samplers(axis, [str(value) for value in values], place + by_list, around)
    if fixed and axis.label in SEEDS:
        draws = around.draws(f"axis {place}")
        values = tuple(draws.randrange(SEEDS_END) if value == -1 else value for value in values)
    return Side(axis, values, as_text(texts) if by_list else text)


def _refuse_unknown_samplers(axis: Axis, values: Sequence[str], place: int, around: Surroundings) -> None:
    """Raises BadRequestError where neither the program nor an extension has one of these samplers."""
    known = {*SAMPLERS, *around.choices.get(OF_EXTENSIONS, ()), SAME_SAMPLER}
    for value in values:
        if split_combined(value)[0] not in known:
            raise refused(place, f"{axis.label}: there is no sampler {value!r}; see the list of samplers")


def planned(request: GenerationRequest, sides: tuple[Side, Side, Side], options: Options, around: Surroundings) -> Plan:
    """The cells, x fastest, then y, then z. Those that need another model come together in the order of work.

    Raises:
        BadRequestError: there are too many cells, or one cannot be made.
    """
    x, y, z = sides
    count = len(x.values) * len(y.values) * len(z.values)
    if count > MOST_CELLS:
        raise refused(1, f"a plot of {count} cells; at most {MOST_CELLS} are made")
    if not options.keep_random:
        request = with_seeds(request, around)
    places = places_of(sides)
    counts = around.first_sizes or tuple(len(side.values) for side in sides)
    cells = tuple(_cell(request, sides, place, options, counts) for place in places)
    sheet = Sheet(
        x.labels, y.labels, z.labels,
        legend=options.legend, margin=options.margin, lone_images=options.lone_images, sub_grids=options.sub_grids,
        plane_details={"Script": TITLE} | x.details("X", fixed=not options.keep_random)
        | y.details("Y", fixed=not options.keep_random),
        depth_details=z.details("Z", fixed=not options.keep_random),
    )  # fmt: skip
    by_cost = sorted(range(3), key=lambda index: (-sides[index].axis.cost, -index))  # else z, y, x
    order = sorted(range(count), key=lambda index: tuple(places[index][axis] for axis in by_cost))
    return Plan(cells, lambda made: sheet.composed(made, cells, around), tuple(order))


def places_of(sides: tuple[Side, Side, Side]) -> tuple[Place, ...]:
    """Those of the cells, x fastest, then y, then z."""
    x, y, z = (range(len(side.values)) for side in sides)
    return tuple((ix, iy, iz) for iz in z for iy in y for ix in x)


def _cell(
    request: GenerationRequest, sides: tuple[Side, Side, Side], place: Place, options: Options, counts: Sequence[int]
) -> GenerationRequest:
    """The request at a place; seeds vary by the sizes in `counts`."""
    for number, (side, index) in enumerate(zip(sides, place, strict=True)):
        try:
            request = side.axis.change(request, side.values[index], side.values)
        except ValidationError as error:
            message = error.errors(include_input=False)[0]["msg"]
            raise refused(3 * number + 1, f"{side.axis.label} {side.values[index]}: {message}") from None
        except BadRequestError:
            raise
        except ValueError as error:
            raise refused(3 * number + 1, f"{side.axis.label}: {error}") from None
    step, more = 1, 0
    for count, index, varies in zip(counts, place, options.vary_seeds, strict=True):
        if varies:
            more += index * step
            step *= count
    return request.with_(seed=request.seed + more) if more and request.seed >= 0 else request


def _begin(request: GenerationRequest, values: Sequence[Any], around: Surroundings) -> Experiment:
    legend, lone, sub, keep, vary_x, vary_y, vary_z, margin, from_text = values[9:]
    options = Options(legend, lone, sub, keep, (vary_x, vary_y, vary_z), margin)
    known = axes_of(request.task.kind, around)
    sides = []
    for place in (0, 3, 6):
        axis = _axis(values[place], known, place)
        text, chosen = values[place + 1 : place + 3]
        sides.append(side_of(axis, text, chosen, place + 1, around, from_text=from_text, fixed=not keep))
    lost = {LOST_KEYS[side.axis.label] for side in sides if side.axis.label in LOST_KEYS}
    around = replace(around, own_keys=around.own_keys | lost)
    x, y, z = sides
    plan = planned(request, (x, y, z), options, around)
    layout = Layout(
        (x.scale, y.scale, z.scale), (x.labels, y.labels, z.labels), legend, margin if legend else 0, around.background
    )
    return Experiment.of(TITLE, plan, layout, places_of((x, y, z)))


def _axis(wanted: int | str, known: Sequence[Axis], place: int) -> Axis:
    """The axis of a number, id or label."""
    if (found := axis_named(wanted, known)) is None:
        raise refused(place, f"there is no axis {wanted!r}; 0 to {len(known) - 1} are counted by script-info")
    return found


def _arguments(task: str) -> tuple[Argument, ...]:
    labels = tuple(axis.label for axis in axes_of(task, Surroundings()))
    return (
        *(
            argument
            for name in ("X", "Y", "Z")
            for argument in (
                Argument(f"{name} type", 0, choices=labels),
                Argument(f"{name} values", ""),
                Argument(f"{name} values", ()),
            )
        ),
        Argument("Draw legend", True),
        Argument("Include Sub Images", False),
        Argument("Include Sub Grids", False),
        Argument("Keep -1 for seeds", False),
        Argument("Vary seeds for X", False),
        Argument("Vary seeds for Y", False),
        Argument("Vary seeds for Z", False),
        Argument("Grid margins (px)", 0, 0, 500, 2),
        Argument("Use text inputs instead of dropdowns", False),
    )


def _with_vary_seeds(given: Sequence[Any]) -> Sequence[Any]:
    """Arguments of A1111 before 1.7, which knew no varied seeds: 13, the margin, and perhaps whether texts count."""
    return (*given[:13], False, False, False, *given[13:]) if len(given) in OLD_COUNTS else given


XYZ_PLOT = Script(
    TITLE, _arguments("txt2img"), _begin,
    img2img_arguments=_arguments("img2img"), adapted=_with_vary_seeds, kind="xyz",
)  # fmt: skip
