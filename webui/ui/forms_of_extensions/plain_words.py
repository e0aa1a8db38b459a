"""Names of fields and of their values in plain words, where an extension gives none."""

import re
from types import MappingProxyType

_INITIALS = frozenset({"vae", "vram", "cfg", "lora", "gfpgan", "clip", "url", "api", "cpu", "gpu", "rgb", "fp16", "id"})
_WRITTEN = MappingProxyType({"lora": "LoRA", "id": "id", "fp16": "fp16"})
_RAW = re.compile(r"[a-z][a-z]*(?:_[a-z0-9]+)*")


def plain_label(name: str) -> str:
    """`guidance_start` -> `Guidance start`, `low_vram` -> `Low VRAM`."""
    words = [_WRITTEN.get(word, word.upper()) if word in _INITIALS else word for word in name.split("_") if word]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def plain_title(title: str, name: str) -> str:
    """The title of a field in a schema, unless pydantic made it out of the name (`Guidance Start`)."""
    made = name.replace("_", " ").title()
    return title if title and title != made else plain_label(name)


def plain_value(value: str) -> str:
    """A value of a choice: a name such as `leave_out` in plain words, anything else as it is (`DPM++ 2M`, `fp16`)."""
    return plain_label(value) if _RAW.fullmatch(value) else value
