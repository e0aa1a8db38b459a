"""What the table of fields says of one leaf of a request, and how values change on their way out and in."""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

from webui.domain.parameters.subject import Subject

Span = tuple[float, float, float]  # lowest, highest, step of a slider
Version = tuple[int, int, int, int]  # of A1111: major, minor, patch, commits since (-1: a release candidate)


def _unchanged(value: Any) -> Any:
    return value


def everywhere(_: Subject) -> bool:
    """The condition of a key that has an effect in every request."""
    return True


@dataclass(frozen=True, slots=True)
class Codec:
    """How a leaf's value is told outside, and what is told there as a value again.

    `decode` raises ValueError for what is no value of this kind.
    """

    decode: Callable[[Any], Any] = _unchanged
    encode: Callable[[Any], Any] = _unchanged


def _whole(text: Any) -> int:
    try:
        return int(text)
    except ValueError:
        return int(float(text))  # other programs write 20.0


def _flag(text: str) -> bool:
    return text.strip().lower() not in ("false", "0", "")


def words(said: Mapping[Any, str]) -> Codec:
    """Each value of a leaf and the word that stands for it."""
    meanings = {word: value for value, word in said.items()}

    def decode(word: str) -> Any:
        if word not in meanings:
            raise ValueError(f"should be one of {', '.join(meanings)}")
        return meanings[word]

    return Codec(decode, lambda value: said[value])


PLAIN, WHOLE, NUMBER, FLAG = Codec(), Codec(_whole), Codec(float), Codec(_flag)


@dataclass(frozen=True, slots=True)
class OldRule:
    """Releases of A1111 before `before` did what this key switches on, where their text fulfils `where`."""

    before: Version
    where: Callable[[Mapping[str, str]], bool] = lambda fields: True


@dataclass(frozen=True, slots=True)
class Key:
    """The key of a leaf in infotexts.

    It is written where the part of the request is in force, `when` holds, and the value is not the leaf's default.

    Attributes:
        name: the key. `Size-1` and `Size-2` are one item of the text, `Size: 512x768`.
        codec: from the value to what is printed, and from the text to the value.
        when: whether the leaf has an effect on this image.
        always: the key is written at the leaf's default, too.
        silent: A1111 has this option and does not write it, so that a text which shall be A1111's lacks the key.
        value: what is written, where it is not the leaf itself; None is not written.
        also: further spellings that are read.
        shown: what A1111's `png-info` answers where the key is missing; None: nothing.
        missing: text that a details line without the key stands for; None: the leaf's default.
        old_rule: which releases of A1111 meant the key without writing it.
    """

    name: str
    codec: Codec = PLAIN
    _: KW_ONLY
    when: Callable[[Subject], bool] = everywhere
    always: bool = False
    silent: bool = False
    value: Callable[[Subject], object] | None = None
    also: tuple[str, ...] = ()
    shown: str | int | bool | None = None
    missing: str | None = None
    old_rule: OldRule | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A key that no leaf has: a fact of the models, something of several leaves, or a place that extensions fill."""

    name: str
    value: Callable[[Subject], object]  # None: not written


@dataclass(frozen=True, slots=True)
class Row:
    """One leaf of a request.

    Attributes:
        path: dotted names of the fields that lead to it, without the kind of task: `noise.eta`, `task.hires.scale`.
        key: its key in infotexts; None needs the reason `why_no_key`.
        body: its name in the bodies of A1111's txt2img and img2img; "" where those have none.
        option: its name among A1111's settings (`override_settings`, `/sdapi/v1/options`); "" where it is none.
        label: its name on the page; "" makes one of the field's own name.
        span: what is handy to drag where the request allows more; None: all that it allows.
        choices: what the page lists for it: label and value.
        group: the part of the page that draws it; "": that of the part of the request that it lies in.
    """

    path: str
    key: Key | None = None
    _: KW_ONLY
    why_no_key: str = ""
    body: str = ""
    body_codec: Codec = PLAIN
    option: str = ""
    option_codec: Codec = PLAIN
    label: str = ""
    span: Span | None = None
    choices: tuple[tuple[str, Any], ...] = ()
    group: str = ""

    @property
    def part(self) -> str:
        """The dotted path of what the leaf is a field of; "" for the request itself."""
        return self.path.rpartition(".")[0]

    @property
    def stands_in(self) -> str:
        """The group of the page."""
        return self.group or self.part
