"""What an embedding file tells without being loaded: vectors, width, where it was trained. No torch."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webui.domain.errors import UnusableFileError
from webui.library.files import ModelFile
from webui.library.headers import read_header
from webui.library.library import ModelLibrary
from webui.library.pictures import embedding_data, is_picture


@dataclass(frozen=True, slots=True)
class EmbeddingFacts:
    """Attributes:
    vectors: how many tokens it takes.
    width: channels of a vector; for SDXL those of both text encoders together.
    step, checkpoint, checkpoint_name: of its training, where it says so.
    """

    vectors: int
    width: int
    step: int | None = None
    checkpoint: str | None = None
    checkpoint_name: str | None = None


def facts_of(library: ModelLibrary, file: ModelFile) -> EmbeddingFacts | None:
    """What the file tells; None for a pickle that was not converted yet, and for what is no embedding."""
    try:
        if is_picture(file.path):
            data = embedding_data(file.path)
            return None if data is None else _of_json(data)
        header = read_header(library.safetensors(file))
    except UnusableFileError:
        return None
    shapes = {name: shape for name, shape in header.shapes.items() if not name.startswith("string_to_token")}
    if {"clip_l", "clip_g"} <= shapes.keys():
        count, width = _matrix(shapes["clip_g"])
        return EmbeddingFacts(count, width + _matrix(shapes["clip_l"])[1])
    if not shapes:
        return None
    count, width = _matrix(next(iter(shapes.values())))
    facts = header.metadata
    return EmbeddingFacts(
        count,
        width,
        _number(facts.get("step")),
        _text(facts.get("sd_checkpoint")),
        _text(facts.get("sd_checkpoint_name")),
    )


def _of_json(data: Mapping[str, Any]) -> EmbeddingFacts | None:
    params = data.get("string_to_param")
    first = next(iter(params.values()), None) if isinstance(params, Mapping) else None
    rows = first.get("TORCHTENSOR") if isinstance(first, Mapping) else None
    if not isinstance(rows, list) or not rows or not isinstance(rows[0], list):
        return None
    return EmbeddingFacts(
        len(rows), len(rows[0]), _number(data.get("step")), _text(data.get("sd_checkpoint")),
        _text(data.get("sd_checkpoint_name")),
    )  # fmt: skip


def _matrix(shape: tuple[int, ...]) -> tuple[int, int]:
    return (shape[0], shape[1]) if len(shape) > 1 else (1, shape[0] if shape else 0)


def _number(value: object) -> int | None:
    try:
        number = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return None
    return number if isinstance(number, int) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
