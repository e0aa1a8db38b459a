"""What the tags in a prompt ask for: `<lora:name:te:unet:dyn>` and `<hypernet:name:strength>`. Texts only.

LoRA Block Weight's words are read too: `lbw=`, `lbwe=`, `start=`, `stop=`, `step=`; and `hrstart=`, `hrstop=`,
`hrstep=`, which count in their place in the second pass of hires fix.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from webui.extension_api import GenerationRequest, NetworkTag

LORA_KINDS = ("lora", "lyco")
HYPERNETWORK_KIND = "hypernet"
KINDS = (*LORA_KINDS, HYPERNETWORK_KIND)
_NAMED = ("te", "unet", "dyn", "lbw", "w", "lbwe", "start", "stop", "step", "hrstart", "hrstop", "hrstep")


@dataclass(frozen=True, slots=True)
class Window:
    """The steps at which a network acts in the UNet: from `start` on, until `stop`. A fraction is one of all steps."""

    start: float | None = None
    stop: float | None = None

    def holds(self, reported: int, total: int) -> bool:
        """Whether the network acts at a call of the UNet.

        Args:
            reported: the step as A1111's sampler has reported it, which lags behind by one.
            total: steps of the run.
        """
        begun = self.start is None or reported > _step(self.start, total) - 2
        return begun and not (self.stop is not None and reported > _step(self.stop, total) - 2)


def _step(value: float, total: int) -> int:
    return max(1, round(value * total)) if 0 < value < 1 else int(value)


ALWAYS = Window()


@dataclass(frozen=True, slots=True)
class LoraTag:
    """`<lora:name:text_strength:unet_strength:ranks>`; `ranks` is None where all are used.

    `blocks` (`lbw=`) and `elements` (`lbwe=`) are block weights as they were written, "" without. `hires_window` counts
    in the second pass of hires fix; None: `window` does.
    """

    name: str
    text_strength: float = 1.0
    unet_strength: float = 1.0
    ranks: int | None = None
    blocks: str = ""
    elements: str = ""
    window: Window = ALWAYS
    hires_window: Window | None = None

    @property
    def is_timed(self) -> bool:
        """Whether it acts only at some steps."""
        return self.window != ALWAYS or self.hires_window not in (None, ALWAYS)


@dataclass(frozen=True, slots=True)
class HypernetworkTag:
    """`<hypernet:name:strength>`."""

    name: str
    strength: float = 1.0


@dataclass(frozen=True, slots=True)
class Asked:
    """Everything the tags of a prompt ask for, in order, and a sentence for each that cannot be understood.

    A LoRA named twice counts twice, each time with its last strengths, as in A1111.
    """

    loras: tuple[LoraTag, ...] = ()
    hypernetworks: tuple[HypernetworkTag, ...] = ()
    problems: tuple[str, ...] = ()


class _TagError(Exception):
    """A tag cannot be understood; the text says why."""


def read_tags(tags: Iterable[NetworkTag]) -> Asked:
    """Read the tags of the kinds above; others are not for this extension."""
    loras: list[LoraTag] = []
    hypernetworks: list[HypernetworkTag] = []
    problems: list[str] = []
    for tag in tags:
        try:
            if tag.kind in LORA_KINDS:
                loras.append(_lora(tag))
            elif tag.kind == HYPERNETWORK_KIND:
                hypernetworks.append(HypernetworkTag(_name(tag), _number(_at(tag, 1) or "1")))
            else:
                continue
            problems += _unknown(tag)
        except _TagError as error:
            problems.append(f"{_shown(tag)} was left out: {error}")
    last = {tag.name: tag for tag in loras}
    return Asked(tuple(last[tag.name] for tag in loras), tuple(hypernetworks), tuple(problems))


def acting_in(tags: Iterable[NetworkTag], names: Sequence[str]) -> tuple[bool, ...]:
    """For each of these networks, whether it acts in a call that has these tags; of a name that is there twice, as many
    as there are tags.
    """
    left = Counter(one.name for one in read_tags(tags).loras)
    acting: list[bool] = []
    for name in names:
        acting.append(left[name] > 0)
        left[name] -= 1
    return tuple(acting)


def chooses_networks(request: GenerationRequest) -> bool:
    """Whether an extension of the request says for calls of the network which networks act: `regions` does, where each
    region has a run of its own.
    """
    return request.extensions.get("regions", {}).get("calculation") == "Latent"


def _lora(tag: NetworkTag) -> LoraTag:
    text = _number(tag.named.get("te") or _at(tag, 1) or "1")
    unet = tag.named.get("unet") or _at(tag, 2)
    ranks = tag.named.get("dyn") or _at(tag, 3)
    if ranks and (not ranks.strip().isdecimal() or int(ranks) < 1):
        raise _TagError(f"dyn must be a whole number from 1 on, not {ranks!r}")
    return LoraTag(
        _name(tag),
        text,
        _number(unet) if unet else text,
        int(ranks) if ranks else None,
        tag.named.get("lbw") or tag.named.get("w") or "",
        tag.named.get("lbwe") or "",
        _window(tag),
        _window(tag, "hr") if any(tag.named.get(f"hr{word}") for word in ("start", "stop", "step")) else None,
    )


def _unknown(tag: NetworkTag) -> list[str]:
    """A sentence for each word of a tag that means nothing here."""
    known = _NAMED if tag.kind in LORA_KINDS else ()
    return [f"{_shown(tag)}: {name}= means nothing and was left out" for name in tag.named if name not in known]


def _window(tag: NetworkTag, prefix: str = "") -> Window:
    """`start=`, `stop=`, or both as `step=4-12`, which counts before the others; `prefix` stands before these words."""
    start, stop, step = (tag.named.get(f"{prefix}{word}") for word in ("start", "stop", "step"))
    if step:
        start, dash, stop = step.partition("-")
        if not dash:
            raise _TagError(f"{prefix}step must be two numbers, for example {prefix}step=4-12, not {step!r}")
    return Window(_number(start, "step") if start else None, _number(stop, "step") if stop else None)


def _name(tag: NetworkTag) -> str:
    if not _at(tag, 0):
        raise _TagError("it has no name")
    return _at(tag, 0)


def _at(tag: NetworkTag, position: int) -> str:
    return tag.positional[position] if position < len(tag.positional) else ""


def _number(text: str, what: str = "strength") -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _TagError(f"the {what} {text!r} is not a number; write for example {0.8 if what == 'strength' else 4}")
    return number


def _shown(tag: NetworkTag) -> str:
    """The tag as it is written in a prompt."""
    named = [f"{name}={value}" for name, value in tag.named.items()]
    return f"<{':'.join((tag.kind, *tag.positional, *named))}>"
