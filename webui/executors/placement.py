"""Which devices of this machine get a worker each, and what a worker is told so that it sees its own device alone."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from webui.domain.devices import devices_of
from webui.domain.errors import BackUnavailableError
from webui.domain.settings import BackSettings
from webui.hardware.graphics_cards import GraphicsCard, cards_here

# The variables by which a process is shown some devices of a kind. Where one is set already, its entries are counted.
_SHOWING: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"cuda": ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"), "xpu": ("ZE_AFFINITY_MASK",)}
)
_KINDS: Mapping[str, str] = MappingProxyType({"nvidia": "cuda", "amd": "cuda", "intel": "xpu", "apple": "mps"})


@dataclass(frozen=True, slots=True)
class Place:
    """A device and its worker.

    Attributes:
        name: what users call it; of several alike with a number.
        settings: of its back.
        variables: of the environment of its worker.
    """

    name: str
    settings: BackSettings
    variables: Mapping[str, str] = field(default_factory=dict)


def places_of(
    settings: BackSettings,
    cards: Sequence[GraphicsCard] | None = None,
    environment: Mapping[str, str] = os.environ,
    cores: int | None = None,
) -> tuple[Place, ...]:
    """A place for each device that the setting names, in their order.

    Args:
        cards: of this machine; None: looked for where `all` is asked for.
        cores: of this machine; None: asked of it. Workers on the CPU share them, unless the setting `threads` says how
            many each has.

    Raises:
        BackUnavailableError: `all` are asked for, and there is no card.
    """
    names = devices_of(settings.device)
    if names == ("all",):
        names = _all(cards_here() if cards is None else cards, environment)
    alike = Counter(names)
    threads = settings.threads
    if not threads and alike["cpu"] > 1:
        threads = max(1, (cores or os.cpu_count() or 1) // alike["cpu"])
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        shown = f"{name} ({seen[name]})" if alike[name] > 1 else name
        device, variables = _narrowed(name, environment) if len(names) > 1 else (name, {})
        own = {"device": device} | ({"threads": threads} if name == "cpu" else {})
        found.append(Place(shown, settings.model_copy(update=own), variables))
    return tuple(found)


def _all(cards: Sequence[GraphicsCard], environment: Mapping[str, str]) -> tuple[str, ...]:
    """The devices of the first card's maker; torch is built for one maker's cards."""
    mine = [card for card in cards if card.maker == cards[0].maker]
    if not mine:
        raise BackUnavailableError("device all: no graphics card was found here; name devices, or write auto or cpu")
    kind = _KINDS[mine[0].maker]
    if kind == "mps":
        return (kind,)
    entries = _entries(kind, environment)
    return tuple(f"{kind}:{number}" for number in range(len(mine) if entries is None else len(entries)))


def _narrowed(name: str, environment: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The name by which a worker that sees its own card alone calls it, and the variable that hides the others."""
    kind, colon, number = name.partition(":")
    if kind not in _SHOWING or not colon:
        return name, {}
    entries = _entries(kind, environment)
    if entries is not None and int(number) >= len(entries):
        return name, {}  # there is no such device, which the back will say
    entry = number if entries is None else entries[int(number)]
    variable = next((one for one in _SHOWING[kind] if environment.get(one)), _SHOWING[kind][0])
    return f"{kind}:0", {variable: entry}


def _entries(kind: str, environment: Mapping[str, str]) -> tuple[str, ...] | None:
    """The devices of a kind that this process may see, as its variable names them; None where it says nothing."""
    told = next((environment[one] for one in _SHOWING[kind] if environment.get(one)), None)
    return None if told is None else tuple(part.strip() for part in told.split(",") if part.strip())
