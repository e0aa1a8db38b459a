"""What a tree of the language gives, text after text: by chance, one after another, or everything there is.

Parts keep their place between texts, as in A1111's extension: a cycle goes on with the next image, and a variable that
is decided at once is decided for all images. Chance is Python's `random.Random`, so that a seed gives what it gives
there.
"""

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, cycle, islice, repeat
from typing import NamedTuple

from webui.extension_api import BadRequestError

from .grammar import (
    MAX_DEPTH,
    Access,
    Assignment,
    Option,
    Part,
    Text,
    Variant,
    Way,
    Wildcard,
    Wrap,
    parsed,
)
from .grammar import Sequence as Parts

MAX_CHOICES = 4000  # by chance, in one prompt
MAX_STEPS = 200_000  # of trying combinations
MAX_LENGTH = 100_000  # characters of a finished prompt
_AT_ONCE = 10  # weighted values that are drawn together, as in A1111's extension
_DOTS = re.compile(r"[\u1801\u2026\u22ee\u22ef\u22f0\u22f1\ufe19]+|\.{3,}")


class Value(NamedTuple):
    """A line of a wildcard file and its weight."""

    text: str
    weight: float = 1.0


Lookup = Callable[[str], Sequence[Value]]  # the values behind a name; none where there is no such file


class Chance:
    """Choices that a seed decides, as many as a prompt may have."""

    def __init__(self, seed: int | None = None, most: int = MAX_CHOICES) -> None:
        self._random = random.Random(seed)
        self._most = self._left = most

    def begin(self, seed: int | None) -> None:
        """Begin the next prompt; None: what it gets depends on nothing."""
        self._random.seed(seed)
        self._left = self._most

    def spend(self) -> None:
        """Raises BadRequestError where there were too many choices."""
        self._left -= 1
        if self._left < 0:
            raise BadRequestError("prompt", f"asks for more than {self._most} choices; make it simpler")

    def between(self, least: int, most: int) -> int:
        """A whole number of least .. most."""
        self.spend()
        return self._random.randint(least, most)

    def some(self, options: Sequence[Option], count: int) -> list[Part]:
        """`count` of the options, none twice. A1111's extension takes the first equal weight off its list with each."""
        values, weights = [one.value for one in options], [one.weight for one in options]
        if len(values) == 1:
            return values
        chosen: list[Part] = []
        for _ in range(count):
            self.spend()
            if sum(weights) <= 0:
                raise BadRequestError("prompt", "has options whose weights are all 0; give one of them a weight")
            value = self._random.choices(values, weights)[0]
            place = values.index(value)
            weights.remove(weights[place])
            del values[place]
            chosen.append(value)
        return chosen

    def endless(self, values: Sequence[Value]) -> Iterator[str]:
        """Values of a file, each by chance."""
        texts = [value.text for value in values]
        if len({value.weight for value in values}) == 1:
            while True:
                self.spend()
                yield self._random.choice(texts)
        sums = list(accumulate(value.weight for value in values))
        while True:
            self.spend()
            yield from self._random.choices(texts, cum_weights=sums, k=_AT_ONCE)


@dataclass(frozen=True)
class Context:
    """What parts are drawn with.

    Attributes:
        way: how parts are drawn that name no way themselves.
        variables: those that are set, not decided yet.
        being_drawn: variables that stand around this place.
    """

    lookup: Lookup
    chance: Chance
    way: Way = "random"
    variables: Mapping[str, Part] = field(default_factory=dict)
    being_drawn: frozenset[str] = frozenset()
    depth: int = 0
    known: dict[str, Part] = field(default_factory=dict)

    def inside(self, way: Way | None) -> "Context":
        """The context of a part: what has no end can be drawn among all combinations, not the other way round."""
        if way is None or way == self.way or (way == "combinatorial" and self.way != "combinatorial"):
            return self
        return replace(self, way=way)

    def knowing(self, variables: Mapping[str, Part]) -> "Context":
        return replace(self, variables={**self.variables, **variables}) if variables else self

    def of_value(self, text: str) -> tuple[Part, "Context"]:
        """The tree of a value that came from a file."""
        if self.depth >= MAX_DEPTH:
            raise BadRequestError(
                "prompt", f"wildcards lead to each other more than {MAX_DEPTH} deep; break the circle"
            )
        if text not in self.known:
            self.known[text] = parsed(text)
        return self.known[text], replace(self, depth=self.depth + 1)


def texts(part: Part, at: Context) -> Iterator[str]:
    """The texts of a part: without end, or in a combinatorial context each that there is; of a part that has no end
    even there, the next.
    """
    source = _source(part, at)
    return islice(source, 1) if at.way == "combinatorial" and _is_endless(part, at) else source


def _is_endless(part: Part, at: Context) -> bool:
    return at.inside(getattr(part, "way", None)).way != "combinatorial"


def _source(part: Part, at: Context) -> Iterator[str]:
    everything = not _is_endless(part, at)
    match part:
        case Text():
            return iter((part.text,)) if everything else repeat(part.text)
        case Parts():
            return _all_in_a_row(part.parts, at) if everything else _in_a_row(part.parts, at)
        case Variant():
            return _variant(part, at.inside(part.way))
        case Wildcard():
            return _wildcard(part, at.inside(part.way))
        case Access():
            return _variable(part, at)
        case Wrap():
            return _wrapped(part, at)
        case Assignment():
            return _in_a_row((part,), at)


def _in_a_row(parts: Iterable[Part], at: Context) -> Iterator[str]:
    rest, at = _with_assignments(parts, at)
    sources = [texts(part, at) for part in rest]
    while True:
        yield _joined([next(source) for source in sources], "")


def _all_in_a_row(parts: Iterable[Part], at: Context) -> Iterator[str]:
    rest, at = _with_assignments(parts, at)
    return (_joined(words, "") for words in _product(rest, at))


def _with_assignments(parts: Iterable[Part], at: Context) -> tuple[list[Part], Context]:
    rest: list[Part] = []
    for part in parts:
        if not isinstance(part, Assignment):
            rest.append(part)
        elif not (part.keeps and part.name in at.variables):
            value = Text(next(texts(part.value, at), "")) if part.immediate else part.value
            at = at.knowing({part.name: value})
    return rest, at


def _product(parts: Sequence[Part], at: Context) -> Iterator[list[str]]:
    """Every combination of the texts of parts, the last changing fastest. Parts without an end give their next text."""
    sources = {place: _source(part, at) for place, part in enumerate(parts) if _is_endless(part, at)}
    open_: list[Iterator[str]] = []
    words: list[str] = []
    while True:
        if len(words) == len(parts):
            at.chance.spend()
            yield [next(sources[place]) if place in sources else word for place, word in enumerate(words)]
        else:
            place = len(words)
            open_.append(iter(("",)) if place in sources else texts(parts[place], at))
            words.append("")
        while open_ and (word := next(open_[-1], None)) is None:
            open_.pop()
            words.pop()
        if not open_:
            return
        words[-1] = word or ""


def _variant(variant: Variant, at: Context) -> Iterator[str]:
    only = variant.options[0].value if len(variant.options) == 1 else None
    if isinstance(only, Wildcard):  # so many of its values, none twice
        at = at.knowing(dict(only.given))
        values = at.lookup(next(texts(only.name, replace(at, way="random"))))
        if not values:
            return repeat(only.written) if at.way != "combinatorial" else iter((only.written,))
        read = [(at.of_value(value.text), int(value.weight)) for value in values]
        options = tuple(Option(tree) for (tree, _), times in read for _ in range(times))
        at = read[0][0][1]
    else:
        options = variant.options
    least = max(0, min(variant.least, len(options)))
    most = max(least, min(variant.most, len(options)))
    if at.way == "random":
        return texts(options[0].value, at) if len(options) == 1 else _by_chance(options, least, most, variant.joint, at)
    chosen = (some for count in range(least, most + 1) for some in _orders([one.value for one in options], count, at))
    return _one_by_one(chosen, variant.joint, at) if at.way == "cyclical" else _everything(chosen, variant.joint, at)


def _by_chance(options: Sequence[Option], least: int, most: int, joint: str, at: Context) -> Iterator[str]:
    while True:
        chosen = at.chance.some(options, at.chance.between(least, most))
        sources = [texts(part, at) for part in chosen]
        yield _joined([next(source) for source in sources], joint)


def _one_by_one(chosen: Iterable[Sequence[Part]], joint: str, at: Context) -> Iterator[str]:
    """Each choice in turn; one that comes again goes on where it was."""
    for sources in cycle([texts(part, at) for part in some] for some in chosen):
        at.chance.spend()
        yield _joined([next(source) for source in sources], joint)


def _everything(chosen: Iterable[Sequence[Part]], joint: str, at: Context) -> Iterator[str]:
    """Each choice in all its forms. Choices in which two give the same text are left out, and so are repetitions."""
    seen: set[tuple[str, ...]] = set()
    for some in chosen:
        for words in _product(some, at):
            different = tuple(dict.fromkeys(words))
            if len(different) == len(some) and different not in seen:
                seen.add(different)
                yield _joined(different, joint)


def _orders(parts: Sequence[Part], count: int, at: Context) -> Iterator[list[Part]]:
    """Every `count` of different parts, in every order."""
    at.chance.spend()
    if count == 0:
        yield []
        return
    for part in parts:
        for rest in _orders([one for one in parts if one != part], count - 1, at):
            yield [part, *rest]


def _wildcard(wildcard: Wildcard, at: Context) -> Iterator[str]:
    name = next(texts(wildcard.name, replace(at, way="random")))
    at = at.knowing(dict(wildcard.given))
    values = at.lookup(name)
    if not values:
        return iter((wildcard.written,)) if at.way == "combinatorial" else repeat(wildcard.written)
    if at.way == "random":
        return (next(texts(*at.of_value(text))) for text in at.chance.endless(values))
    repeated = [value.text for value in values for _ in range(int(value.weight))]
    if at.way == "cyclical":
        return (next(source) for source in cycle([texts(*at.of_value(text)) for text in repeated]))
    return (made for text in repeated for made in texts(*at.of_value(text)))


def _variable(access: Access, at: Context) -> Iterator[str]:
    value = at.variables.get(access.name, access.default)
    if value is None:
        known = ", ".join(sorted(at.variables)) or "none"
        raise BadRequestError("prompt", f"${{{access.name}}}: there is no such variable; set are: {known}")
    if access.name in at.being_drawn:
        raise BadRequestError("prompt", f"${{{access.name}}} stands in its own value; break the circle")
    return texts(value, replace(at, being_drawn=at.being_drawn | {access.name}))


def _wrapped(wrap: Wrap, at: Context) -> Iterator[str]:
    if at.way == "combinatorial":
        return (_around(*words) for words in _product((wrap.wrapper, wrap.inner), at))
    return (_around(*words) for words in zip(texts(wrap.wrapper, at), texts(wrap.inner, at), strict=False))


def _around(wrapper: str, inner: str) -> str:
    dots = _DOTS.search(wrapper)
    return f"{wrapper[: dots.start()]}{inner}{wrapper[dots.end() :]}" if dots else wrapper + inner


def _joined(words: Sequence[str], joint: str) -> str:
    """Words joined; a joint at the beginning or the end, where a word is empty, is taken off."""
    if len(words) == 1:
        return words[0]
    text = joint.join(words)
    if len(text) > MAX_LENGTH:
        raise BadRequestError("prompt", f"grows over {MAX_LENGTH} characters by its wildcards; make it simpler")
    return text.removeprefix(joint).removesuffix(joint) if joint else text
