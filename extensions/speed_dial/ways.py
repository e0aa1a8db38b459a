"""The ways to make a picture faster that the dial knows: each approximation alone, and its stops, which combine them.

A way says which fields of a request it sets, by their paths; every other field of the dial has its usual value then.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import JsonValue

from webui.extension_api import GenerationRequest

from .options import MeasureOptions

EXACT = "exact"
Fields = Mapping[str, JsonValue]
USUAL: Fields = MappingProxyType(
    {
        "speed.block_cache": 0,
        "speed.text_gate": 0,
        "speed.fp16_accumulation": False,
        "speed.eight_bits": "off",
        "token_merging.ratio": 0,
        "guidance.s_min_uncond": 0,
        "guidance.s_min_uncond_all": False,
    }
)
TILER = "guidance"  # the extension that has HyperTile
_NVIDIA_8_BITS = MappingProxyType({"int8": (7, 5), "fp8": (8, 9)})  # compute capability from which torch multiplies so
PREPARING = 2  # pictures before those that are timed
_CPU_MODEL = "model name"


@dataclass(frozen=True, slots=True)
class Way:
    """One way.

    Attributes:
        name: in results.
        title: on the page; "" for one that is no stop of the dial.
        own: fields that are not as usual.
        tiles: whether HyperTile is on.
    """

    name: str
    title: str = ""
    own: Fields = field(default_factory=dict)
    tiles: bool = False

    @property
    def fields(self) -> dict[str, JsonValue]:
        """Every field of the dial."""
        return {**USUAL, **self.own}

    @property
    def extensions(self) -> dict[str, dict[str, Any]]:
        """Options of extensions, by their names."""
        return {TILER: {"hypertile": {"unet": self.tiles}}}

    @property
    def settings(self) -> dict[str, Any]:
        """All that it sets, by which a kept result is known again."""
        return {"fields": self.fields, "extensions": self.extensions}

    def of(self, request: GenerationRequest) -> GenerationRequest:
        """The request made this way."""
        parts: dict[str, dict[str, JsonValue]] = {}
        for path, value in self.own.items():
            part, _, name = path.partition(".")
            parts.setdefault(part, {})[name] = value
        changed: dict[str, Any] = {
            part: getattr(request, part).model_copy(update=update) for part, update in parts.items()
        }
        return request.with_(**changed, **({"extensions": self.extensions} if self.tiles else {}))


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides which ways there are.

    Attributes:
        name: what computes.
        is_nvidia: whether it is a card of NVIDIA's.
        eight_bits: the formats in 8 bits that it multiplies in, the best first.
    """

    name: str
    is_nvidia: bool = False
    eight_bits: tuple[str, ...] = ()


def machine_of(device: Any) -> Machine:
    """The machine behind a device of torch."""
    if device.type == "cpu":
        return Machine(_cpu_name(Path("/proc/cpuinfo")), eight_bits=("int8",))
    if device.type != "cuda":
        return Machine(device.type)
    import torch

    found = torch.cuda.get_device_properties(device)
    if torch.version.hip:
        return Machine(found.name)
    formats = [name for name, least in _NVIDIA_8_BITS.items() if (found.major, found.minor) >= least]
    return Machine(found.name, is_nvidia=True, eight_bits=tuple(reversed(formats)))


def stops(machine: Machine) -> tuple[Way, ...]:
    """The stops of the dial, from exact to fastest."""
    small = {"speed.eight_bits": machine.eight_bits[0]} if machine.eight_bits else {}
    adds = {"speed.fp16_accumulation": True} if machine.is_nvidia else {}
    return (
        Way(EXACT, "Exact"),
        Way("careful", "Careful", {**_interval(0.7), "speed.text_gate": 0.7}),
        Way("balanced", "Balanced", {**_interval(1.0), "speed.text_gate": 0.6, "speed.block_cache": 0.05, **adds}),
        Way(
            "fast", "Fast",
            {
                **_interval(1.5), "speed.text_gate": 0.5, "speed.block_cache": 0.1, "token_merging.ratio": 0.3,
                **small, **adds,
            },
        ),
        Way(
            "fastest", "Fastest",
            {
                **_interval(3.0), "speed.text_gate": 0.4, "speed.block_cache": 0.2, "token_merging.ratio": 0.5,
                **small, **adds,
            },
            tiles=True,
        ),
    )  # fmt: skip


def alone(options: MeasureOptions, machine: Machine) -> Iterable[Way]:
    """Each approximation that options ask for, and that a machine has, by itself."""
    if options.block_cache:
        yield Way(f"first-block cache {options.block_cache:g}", own={"speed.block_cache": options.block_cache})
    if options.text_gate:
        yield Way(f"T-GATE {options.text_gate:g}", own={"speed.text_gate": options.text_gate})
    if options.token_merging:
        yield Way(f"token merging {options.token_merging:g}", own={"token_merging.ratio": options.token_merging})
    if options.interval:
        yield Way(f"CFG interval {options.interval:g}", own=_interval(options.interval))
    if options.hypertile:
        yield Way("HyperTile", tiles=True)
    if options.eight_bits:
        yield from (Way(name, own={"speed.eight_bits": name}) for name in machine.eight_bits)
    if machine.is_nvidia:
        yield Way("fp16 accumulation", own={"speed.fp16_accumulation": True})


def ways(options: MeasureOptions, machine: Machine) -> tuple[Way, ...]:
    """All that are measured, the exact one first."""
    first, *others = stops(machine)
    return (first, *(others if options.stops else ()), *alone(options, machine))


def without_tiles(way: Way) -> Way:
    """The same way where nobody has HyperTile."""
    return Way(way.name, way.title, way.own)


def _interval(level: float) -> dict[str, JsonValue]:
    """Guidance from the first level of noise down to this one, below which the negative prompt is not asked."""
    return {"guidance.s_min_uncond": level, "guidance.s_min_uncond_all": True}


def _cpu_name(file: Path, otherwise: Callable[[], str] = lambda: "CPU") -> str:
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        return otherwise()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith(_CPU_MODEL))
    return next(names, "") or otherwise()
