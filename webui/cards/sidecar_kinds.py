"""What the programs that people use keep beside a model file, in JSON files of its name, and what is read of it.

Strangers wrote these files: size and depth are bounded where they are read, every text and list is cut here, markup
becomes plain text, and no address in them is followed.

| File | Who writes it |
| --- | --- |
| `name.swarm.json` | SwarmUI: `modelspec.` keys |
| `name.metadata.json` | ComfyUI LoRA Manager |
| `name.cm-info.json` | Stability Matrix |
| `name.civitai.info` | Civitai Helper and many downloaders: what the site tells of a version of a model |

A1111's own `name.json` is read by `library/card_notes.py`.
"""

import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from webui.domain.errors import UnusableFileError
from webui.library.base_model import LONGEST
from webui.library.json_object import json_value

MAX_WORDS = 60
MAX_WORD = 300  # characters
MAX_TAGS = 60
MAX_TAG = 60
MAX_TITLE = 200
MAX_TEXT = 4_000  # characters of a description or of notes
MAX_WEIGHT = 10.0  # on either side of 0
_MARKUP = re.compile(r"<[^<>]{0,2000}>")
_ENDS = re.compile(r"</(?:p|div|li|h\d)>|<br\s*/?>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Told:
    """What one source says of a model file; empty where it says nothing.

    Attributes:
        words: trigger words, each without commas.
        base: for which kind of checkpoint, in the source's own word.
        weight: that is recommended; 0 where none is.
    """

    words: tuple[str, ...] = ()
    base: str = ""
    weight: float = 0.0
    title: str = ""
    description: str = ""
    notes: str = ""
    tags: tuple[str, ...] = ()


Table = Mapping[str, Any]


def words_in(texts: Iterable[object]) -> tuple[str, ...]:
    """The parts between commas, each once; a text may itself be such a list."""
    found: dict[str, str] = {}
    for part in _parts(texts):
        if len(found) >= MAX_WORDS:
            break
        found.setdefault(part.casefold(), part)
    return tuple(found.values())


def tags_in(value: object) -> tuple[str, ...]:
    """Tags as a list or as a text with commas."""
    texts = value if isinstance(value, list) else [value]
    return tuple(dict.fromkeys(part[:MAX_TAG] for part in _parts(texts[:MAX_TAGS])))[:MAX_TAGS]


def plain(value: object, longest: int = MAX_TEXT) -> str:
    """A text without markup; "" for what is no text."""
    if not isinstance(value, str):
        return ""
    text = value[: 4 * longest]
    if "<" in text:
        text = _MARKUP.sub("", _ENDS.sub("\n", text))
    return html.unescape(text).strip()[:longest]


def weight_in(value: object) -> float:
    """A recommended weight; 0 for what is none."""
    if isinstance(value, str):
        try:
            value = float(value[:40])
        except ValueError:
            return 0.0
    if not isinstance(value, int | float) or isinstance(value, bool):
        return 0.0
    return float(value) if abs(value) <= MAX_WEIGHT else 0.0


def from_modelspec(table: Table) -> Told:
    """The `modelspec.` keys of ModelSpec 1.0.1 with SwarmUI's own, from a header or a `.swarm.json`."""

    def at(name: str) -> Any:
        return table.get(f"modelspec.{name}")

    return Told(
        words=words_in([at("trigger_phrase")]),
        base=plain(at("architecture"), LONGEST).partition("/")[0],
        weight=weight_in(at("lora_default_weight")),
        title=plain(at("title"), MAX_TITLE),
        description=plain(at("description")),
        notes=plain(at("usage_hint")),
        tags=tags_in(at("tags")),
    )


def _of_lora_manager(table: Table) -> Told:
    site = _inner(table, "civitai")
    told = _of_civitai(site)
    own = table.get("trainedWords")
    return Told(
        words=words_in(own if isinstance(own, list) else []) or told.words,
        base=plain(table.get("base_model"), LONGEST) or told.base,
        weight=weight_in(_tips(table.get("usage_tips")).get("strength")),
        title=plain(table.get("model_name"), MAX_TITLE) or told.title,
        description=plain(table.get("modelDescription")) or told.description,
        notes=plain(table.get("notes")),
        tags=tags_in(table.get("tags")) or told.tags,
    )


def _of_stability_matrix(table: Table) -> Told:
    words = table.get("TrainedWords")
    texts = (plain(table.get(key)) for key in ("VersionDescription", "ModelDescription"))
    titles = (plain(table.get(key), MAX_TITLE) for key in ("UserTitle", "ModelName"))
    return Told(
        words=words_in(words if isinstance(words, list) else []),
        base=plain(table.get("BaseModel"), LONGEST),
        title=next(filter(None, titles), ""),
        description="\n\n".join(filter(None, texts))[:MAX_TEXT],
        tags=tags_in(table.get("Tags")),
    )


def _of_civitai(table: Table) -> Told:
    """A version of a model, as the site describes it. The stub of a file that the site does not know says nothing."""
    words, model = table.get("trainedWords"), _inner(table, "model")
    name, version = plain(model.get("name"), MAX_TITLE), plain(table.get("name"), MAX_TITLE)
    texts = (plain(model.get("description")), plain(table.get("description")))
    return Told(
        words=words_in(words if isinstance(words, list) else []),
        base=plain(table.get("baseModel"), LONGEST),
        title=" · ".join(filter(None, (name, version)))[:MAX_TITLE],
        description="\n\n".join(filter(None, texts))[:MAX_TEXT],
        tags=tags_in(model.get("tags") or table.get("tags")),
    )


# by the ending that comes after the file's stem, in the order in which they count
SIDECARS: Mapping[str, Callable[[Table], Told]] = MappingProxyType(
    {
        ".swarm.json": from_modelspec,
        ".metadata.json": _of_lora_manager,
        ".cm-info.json": _of_stability_matrix,
        ".civitai.info": _of_civitai,
    }
)


def _parts(texts: Iterable[object]) -> Iterator[str]:
    for text in texts:
        if isinstance(text, str):
            for part in text[: MAX_WORDS * MAX_WORD].split(","):
                if word := " ".join(part.split())[:MAX_WORD]:
                    yield word


def _inner(table: Table, key: str) -> Table:
    found = table.get(key)
    return found if isinstance(found, dict) else {}


def _tips(value: object) -> Table:
    """LoRA Manager keeps these as a text that is JSON."""
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        return {}
    try:
        found = json_value("usage_tips", value)
    except UnusableFileError:
        return {}
    return found if isinstance(found, dict) else {}
