"""Prompt editing: expands `[from:to:when]` and `[a|b]` into a prompt schedule, the text for each call. Attention syntax
stays in the texts.

The grammar is read in one pass with a stack, so time grows linearly with the length:

    prompt    := ( "(" prompt [":" prompt] ")" | "[" prompt "]" | scheduled | alternate | plain )*
    scheduled := "[" [prompt ":"] prompt ":" NUMBER "]"
    alternate := "[" prompt ("|" prompt)+ "]"

A group that fits none of these makes itself and all groups around it literal, but not the well-formed groups inside.
Groups may be nested 100 deep; one around those is literal.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

MAX_DEPTH = 100

_SCAN = re.compile(r"(?P<plain>(?:[^\\\[\]():|]|\\.)+)|(?P<mark>[\[\]():|])", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_OPENER_OF = MappingProxyType({")": "(", "]": "["})


@dataclass(frozen=True, slots=True)
class _Scheduled:
    before: "_Content"
    after: "_Content"
    number: str


@dataclass(frozen=True, slots=True)
class _Alternate:
    options: tuple["_Content", ...]


_Content = Sequence["str | _Scheduled | _Alternate"]


@dataclass(slots=True)
class _Group:
    """An open bracket, with the parts between its separators that were read so far."""

    opener: str
    fields: list[list[str | _Scheduled | _Alternate]] = field(default_factory=lambda: [[]])
    separators: list[str] = field(default_factory=list)
    depth: int = 0  # how deeply groups are nested inside it

    def literal(self) -> list[str | _Scheduled | _Alternate]:
        content: list[str | _Scheduled | _Alternate] = [self.opener, *self.fields[0]]
        for separator, part in zip(self.separators, self.fields[1:], strict=True):
            content += [separator, *part]
        return content

    def close(self, closer: str) -> list[str | _Scheduled | _Alternate] | None:
        """The meaning of the whole group; None where it fits no rule of the grammar."""
        marks = "".join(self.separators)
        if self.depth >= MAX_DEPTH:
            return None
        if marks == "" or (marks == ":" and self.opener == "("):
            return [*self.literal(), closer]
        if self.opener == "(":
            return None
        if set(marks) == {"|"}:
            return [_Alternate(tuple(self.fields))]
        number = _number(self.fields[-1])
        if marks == ":" and number is not None:
            return [_Scheduled((), self.fields[0], number)]
        if marks == "::" and number is not None:
            return [_Scheduled(self.fields[0], self.fields[1], number)]
        return None


def schedules(text: str, steps: int, base_steps: int | None = None, *, old: bool = False) -> list[tuple[int, str]]:
    """Expand the schedules of one AND part.

    Args:
        steps: planned denoiser calls of this pass (twice the sampling steps for second-order samplers), at least 1.
        base_steps: the calls of the first pass, where this is the second: numbers then go on counting from there.
        old: the rules before A1111 1.6: any number below 1 is a share of the steps, and the second pass repeats the
            prompt schedule of the first.

    Returns:
        [(until, text)] with rising `until`, 1-based and inclusive; the last is the number of steps. The text verbatim
        if it does not parse as a whole: a `|` outside any alternation, a backslash at the very end.
    """
    if old and base_steps is not None:
        steps, base_steps = base_steps, None
    content = _parse(text)
    if content is None:
        return [(steps, text)]
    clock = _Clock(steps, base_steps, old)
    boundaries = {steps}
    pending: list[_Content] = [content]
    while pending:
        for part in pending.pop():
            if isinstance(part, _Scheduled):
                boundaries.add(clock.step(part.number))
                pending += [part.before, part.after]
            elif isinstance(part, _Alternate):
                boundaries.update(range(1, steps + 1))
                pending += part.options
    return [(until, _text_at(content, until, clock)) for until in sorted(boundaries) if until >= 1]


@dataclass(frozen=True, slots=True)
class _Clock:
    """Turns the number of a schedule into the last step of its first text: 0 .. steps."""

    steps: int
    base_steps: int | None
    old: bool

    def step(self, number: str) -> int:
        value = float(number)
        if self.old:
            when = value * self.steps if value < 1 else value
        elif "." in number:
            when = (value - (0 if self.base_steps is None else 1)) * self.steps
        else:
            when = value - (self.base_steps or 0)
        return int(max(0.0, min(float(self.steps), when)))


def _text_at(content: _Content, step: int, clock: _Clock) -> str:
    pieces: list[str] = []
    for part in content:
        if isinstance(part, str):
            pieces.append(part)
        elif isinstance(part, _Scheduled):
            chosen = part.before if step <= clock.step(part.number) else part.after
            pieces.append(_text_at(chosen, step, clock))
        else:
            pieces.append(_text_at(part.options[(step - 1) % len(part.options)], step, clock))
    return "".join(pieces)


def _number(content: _Content) -> str | None:
    if len(content) != 1 or not isinstance(content[0], str):
        return None
    number = content[0].strip()
    return number if _NUMBER.fullmatch(number) else None


def _parse(text: str) -> _Content | None:
    """The prompt as literal texts and schedules; None if the text as a whole does not parse."""
    base: list[str | _Scheduled | _Alternate] = []
    groups: list[_Group] = []

    def give_up_groups() -> bool:
        """Make every open group literal; False if one of them holds a `|`, which cannot stand outside a group."""
        for group in groups:
            if "|" in group.separators:
                return False
            base.extend(group.literal())
        groups.clear()
        return True

    position = 0
    while position < len(text):
        match = _SCAN.match(text, position)
        if match is None:  # a lone backslash at the end
            return None
        position, token = match.end(), match.group()
        current = groups[-1].fields[-1] if groups else base
        if match.lastgroup == "plain":
            current.append(token)
        elif token in "([":
            groups.append(_Group(token))
        elif token in ":|":
            if groups:
                groups[-1].separators.append(token)
                groups[-1].fields.append([])
            elif token == "|":
                return None
            else:
                base.append(token)
        elif groups and groups[-1].opener == _OPENER_OF[token] and (whole := groups[-1].close(token)) is not None:
            depth = groups.pop().depth + 1
            (groups[-1].fields[-1] if groups else base).extend(whole)
            if groups:
                groups[-1].depth = max(groups[-1].depth, depth)
        elif give_up_groups():
            base.append(token)
        else:
            return None
    return base if give_up_groups() else None
