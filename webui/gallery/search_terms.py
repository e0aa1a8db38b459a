"""What somebody types into the search field, taken apart. What terms mean to the database is in `search_clauses.py`.

    winter "old town" -people checkpoint:dream lora:="ink" seed:7 size:512x768 rating:>=3 date:2026-11 tag:finished

A word finds words that begin with it, a phrase in quotes its words in a row. `-` in front of a term turns it round. A
field is followed by a part of its value, or after `=` by the whole of it; numbers and dates also by `<`, `<=`, `>`,
`>=` or a range (`512..768`).
"""

import re
from dataclasses import dataclass
from typing import Literal, get_args

MAX_QUERY = 1000  # characters
MAX_TERMS = 40

Field = Literal[
    "checkpoint", "sampler", "scheduler", "kind", "program", "size", "lora", "tag", "seed", "rating", "date", "width",
    "height", "steps", "cfg", "folder", "prompt", "negative", "name", "notes",
]  # fmt: skip
Comparison = Literal["", "=", "<", "<=", ">", ">="]
FIELDS: frozenset[str] = frozenset(get_args(Field))
ALSO = (("model", "checkpoint"), ("tags", "tag"), ("cfg_scale", "cfg"), ("stars", "rating"), ("schedule", "scheduler"))

_TERM = re.compile(r'(-?)(?:(\w+):)?(<=|>=|<|>|=)?("[^"]*"?|[^\s"]+)')


@dataclass(frozen=True, slots=True)
class Term:
    """One condition.

    Attributes:
        field: "" for all texts of a picture.
        comparison: "" for a part of the value.
        whole: a phrase, whose last word is not the beginning of one.
        negated: pictures that do not fulfil it.
    """

    field: Field | Literal[""]
    comparison: Comparison
    value: str
    whole: bool = False
    negated: bool = False


def terms_of(text: str) -> tuple[Term, ...]:
    """The terms of a search in order; what means nothing, such as an empty phrase, is left out.

    A word before a colon that is no field is part of what is looked for: `(castle:1.2)`.
    """
    found = []
    for minus, name, comparison, value in _TERM.findall(text[:MAX_QUERY]):
        field = dict(ALSO).get(name.lower(), name.lower())
        whole = value.startswith('"')
        plain = value.strip('"').strip()
        if field not in FIELDS:
            plain, field, comparison = f"{name}:{comparison}{plain}" if name else f"{comparison}{plain}", "", ""
        if plain:
            found.append(Term(field, comparison, plain, whole, bool(minus)))
    return tuple(found[:MAX_TERMS])
