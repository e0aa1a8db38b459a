"""What readers are given and what they answer; and careful looks into JSON that strangers wrote."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from webui.output.grammar import expand_sizes

MAX_JSON = 2_000_000  # characters of one entry that are parsed
MAX_TEXT = 32_000  # characters of one text that is taken over; requests hold no more
_NOTHING: Mapping[str, object] = MappingProxyType({})
_NUMBER = re.compile(r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
_PAIR = re.compile(r"\D{0,3}(\d{1,6})\s?[x×*,]\s?(\d{1,6})\D{0,3}", re.ASCII)
_ENDING = re.compile(r"\.(safetensors|ckpt|pt|pth|bin|gguf|sft)\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Entries:
    """The texts in an image file.

    Attributes:
        texts: by the key that the file gives them.
        comment: of EXIF's UserComment.
        size: width and height of the image in pixels.
    """

    texts: Mapping[str, str]
    comment: str = ""
    size: tuple[int, int] = (0, 0)

    def objects(self, *keys: str) -> Iterator[dict[str, Any]]:
        """The JSON objects among the entries of these keys; the key "" is the comment's."""
        for key in keys:
            found = as_object(self.texts.get(key, "") if key else self.comment)
            if found is not None:
                yield found


@dataclass(frozen=True, slots=True)
class Told:
    """What a picture tells of how it was made.

    Attributes:
        program: that wrote it.
        values: by A1111's keys; None: not told.
        left_out: what was told beside it and cannot be put into a request.
        text: as it stands in the file where that is an infotext; "" makes one of the rest.
        understood: False where the entries are of a program that nobody here can read.
    """

    program: str
    prompt: str = ""
    negative_prompt: str = ""
    values: Mapping[str, object] = field(default_factory=lambda: _NOTHING)
    left_out: tuple[str, ...] = ()
    text: str = ""
    understood: bool = True

    @property
    def items(self) -> dict[str, str]:
        """The values that there are, as texts."""
        return {key: str(value) for key, value in self.values.items() if value is not None and value != ""}

    @property
    def fields(self) -> dict[str, str]:
        """As `output.parse.parse` gives those of an infotext."""
        return {**expand_sizes(self.items), "Prompt": self.prompt, "Negative prompt": self.negative_prompt}


def as_object(text: Any) -> dict[str, Any] | None:
    """The object that a JSON text holds, None where it holds none. An object is taken as it is."""
    if isinstance(text, dict):
        return text
    if not isinstance(text, str) or len(text) > MAX_JSON or not text.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def part(found: Any, name: str) -> dict[str, Any]:
    """An object inside an object, empty where there is none."""
    inner = found.get(name) if isinstance(found, dict) else None
    return inner if isinstance(inner, dict) else {}


def listed(value: Any, most: int = 100) -> list[Any]:
    """The first entries of a list, none of what is no list."""
    return list(value[:most]) if isinstance(value, list) else []


def text_of(value: Any) -> str:
    """A text that can be written anywhere; "" for what is none."""
    if not isinstance(value, str):
        return ""
    return value[:MAX_TEXT].replace("\0", "").encode("utf-8", "replace").decode().strip()


def number_of(value: Any) -> int | float | None:
    """A number, also one that is written as a text; None for what is none."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        try:
            value = int(value)
        except ValueError:
            value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value.bit_length() <= 128 else None


def whole_of(value: Any) -> int | None:
    """A whole number; None for what is none."""
    number = number_of(value)
    return None if number is None else int(number)


def size_of(width: Any, height: Any) -> str | None:
    """`512x768`, None where a side is missing."""
    sides = whole_of(width), whole_of(height)
    return None if None in sides or min(side or 0 for side in sides) < 1 else f"{sides[0]}x{sides[1]}"


def size_in(text: Any) -> str | None:
    """The size in a text such as `(832, 1216)` or `832x1216`."""
    found = _PAIR.fullmatch(text.strip()) if isinstance(text, str) else None
    return f"{int(found[1])}x{int(found[2])}" if found else None


def stem_of(value: Any) -> str:
    """The name of a model's file without folder and ending."""
    return _ENDING.sub("", text_of(value).replace("\\", "/").rpartition("/")[2])


def lora_tag(name: Any, weight: Any = 1.0) -> str:
    """`<lora:name:0.8>`; "" without a name."""
    stem, share = re.sub(r"[<>:]", "_", stem_of(name)), number_of(weight)
    return f"<lora:{stem}:{1.0 if share is None else share}>" if stem and stem != "None" else ""


def with_tags(prompt: str, tags: list[str]) -> str:
    """The prompt with the tags that it does not have yet at its end."""
    return " ".join([prompt, *(tag for tag in dict.fromkeys(tags) if tag and tag not in prompt)]).strip()
