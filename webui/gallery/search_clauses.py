"""From the terms of a search to conditions of SQL over the table `pictures`. Values are always parameters."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from webui.domain.errors import BadRequestError
from webui.gallery.search_terms import Term
from webui.gallery.words import as_phrase, has_word

_TRAITS = ("checkpoint", "sampler", "scheduler", "kind", "program", "size")
_TEXTS: Mapping[str, str] = MappingProxyType(
    {"": "", "prompt": "prompt : ", "negative": "negative : ", "name": "name : ", "notes": "notes : "}
)
_NUMBERS: Mapping[str, str] = MappingProxyType(
    {"rating": "rating", "width": "width", "height": "height", "steps": "steps", "cfg": "cfg_scale"}
)
_LISTS: Mapping[str, str] = MappingProxyType({"lora": "loras", "tag": "tags"})
_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Clause:
    """A condition with the values of its parameters."""

    sql: str
    values: tuple[Any, ...] = ()


def clauses_of(terms: tuple[Term, ...]) -> tuple[Clause, ...]:
    """A condition for each term. Raises BadRequestError, field `q`, for a number or a date that is none."""
    words = [term for term in terms if term.field in _TEXTS and not term.negated and has_word(term.value)]
    found = [_words(words)] if words else []
    for term in terms:
        if term.field in _TEXTS:
            if not term.negated or not has_word(term.value):
                continue
            clause = _words([term])
        else:
            clause = _of_field(term)
        found.append(Clause(f"NOT ({clause.sql})", clause.values) if term.negated else clause)
    return tuple(found)


def _words(terms: list[Term]) -> Clause:
    """All of these in the texts of a picture."""
    phrases = (f"{_TEXTS[term.field]}{as_phrase(term.value, prefix=not term.whole)}" for term in terms)
    return Clause("id IN (SELECT rowid FROM words WHERE words MATCH ?)", (" AND ".join(f"({one})" for one in phrases),))


def _of_field(term: Term) -> Clause:
    if term.field in _TRAITS:
        inner = _text(term.field, term)
        return Clause(f"trait IN (SELECT id FROM traits WHERE {inner.sql})", inner.values)
    if term.field in _LISTS:
        inner = _text("name", term)
        return Clause(f"id IN (SELECT picture FROM {_LISTS[term.field]} WHERE {inner.sql})", inner.values)
    if term.field in _NUMBERS:
        return _number(_NUMBERS[term.field], term)
    if term.field == "seed":
        return Clause("seed = ? AND seed <> ''", (term.value.lstrip("0") or "0",))
    if term.field == "folder":
        inner = _text("path || '/' || place", term)
        return Clause(
            f"id IN (SELECT p.id FROM pictures AS p JOIN folders AS f ON f.id = p.folder WHERE {inner.sql})",
            inner.values,
        )
    return _date(term)


def _text(column: str, term: Term) -> Clause:
    if term.comparison == "=":
        return Clause(f"{column} = ?", (term.value,))
    pattern = re.sub(r"([\\%_])", r"\\\1", term.value)
    return Clause(f"{column} LIKE ? ESCAPE '\\'", (f"%{pattern}%",))


def _number(column: str, term: Term) -> Clause:
    first, dots, last = term.value.partition("..")
    if dots and not term.comparison:
        return Clause(f"{column} BETWEEN ? AND ?", (_parsed(first, term), _parsed(last, term)))
    return Clause(f"{column} {term.comparison or '='} ?", (_parsed(term.value, term),))


def _parsed(text: str, term: Term) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadRequestError("q", f"{term.field}:{text[:40]} is no number; write it as {term.field}:>=3") from None


def _date(term: Term) -> Clause:
    first, dots, last = term.value.partition("..")
    (start, end) = _span(first, term)
    if dots and not term.comparison:
        return Clause("created >= ? AND created < ?", (start, _span(last, term)[1]))
    conditions: Mapping[str, Clause] = {
        "<": Clause("created < ?", (start,)),
        "<=": Clause("created < ?", (end,)),
        ">": Clause("created >= ?", (end,)),
        ">=": Clause("created >= ?", (start,)),
    }
    return conditions.get(term.comparison, Clause("created >= ? AND created < ?", (start, end)))


def _span(text: str, term: Term) -> tuple[float, float]:
    """When a year, a month or a day begins and ends in local time, in seconds since the epoch."""
    found = _DATE.fullmatch(text)
    year, month, day = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    try:
        start = datetime(year, month or 1, day or 1)
        if day:
            end = start + timedelta(days=1)
        else:
            end = datetime(year + (month == 12 or not month), (month % 12) + 1 if month else 1, 1)
        return start.timestamp(), end.timestamp()
    except (ValueError, OverflowError, OSError):
        raise BadRequestError("q", f"date:{text[:40]} is no date; write date:2026-11-28 or a part of it") from None
