"""What an ONNX file says of itself beside its graph: size of the input and metadata, read from the protobuf.

Fields by number, of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto: ModelProto 7 = graph, 14 = metadata_props;
GraphProto 11 = input; ValueInfoProto 2 = type; TypeProto 1 = tensor, its 2 = shape; TensorShapeProto 1 = dim, its 1 =
value. Nothing of the weights is read.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from webui.extension_api import UnusableFileError

MAX_FILE = 1 << 31  # bytes, the format's own limit
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class OnnxFacts:
    """The facts.

    Attributes:
        size: (width, height) of the picture that it takes; None where any size will do.
        labels: of the classes; () where the file does not say.
    """

    size: tuple[int, int] | None
    labels: tuple[str, ...]


def facts_of(path: Path) -> OnnxFacts:
    """Read the facts of a file. Raises UnusableFileError where it is no protobuf."""
    if path.stat().st_size > MAX_FILE:
        raise UnusableFileError(f"{path.name}: larger than an ONNX file can be")
    with path.open("rb") as file:
        content = memoryview(file.read())
    try:
        size: tuple[int, int] | None = None
        metadata: dict[str, str] = {}
        for number, value in _fields(content):
            if number == 7 and isinstance(value, memoryview):
                size = _input_size(value) or size
            elif number == 14 and isinstance(value, memoryview):
                entry = {key: bytes(text).decode() for key, text in _fields(value) if isinstance(text, memoryview)}
                metadata[entry.get(1, "")] = entry.get(2, "")
    except (ValueError, IndexError) as error:
        raise UnusableFileError(f"{path.name}: is no ONNX file ({error})") from error
    return OnnxFacts(size, _labels(metadata.get("names", "")))


def _labels(text: str) -> tuple[str, ...]:
    """The words of `{0: 'face', 1: 'hand'}`."""
    try:
        found = ast.literal_eval(text) if 0 < len(text) < 200_000 else {}
        return tuple(str(found[number])[:100] for number in range(len(found)))
    except (ValueError, SyntaxError, KeyError, TypeError, RecursionError, MemoryError):
        return ()


def _input_size(graph: memoryview) -> tuple[int, int] | None:
    for number, value in _fields(graph):
        if number == 11 and isinstance(value, memoryview):
            shape = _inner(_inner(_inner(value, 2), 1), 2)
            sides = [_inner_number(dim, 1) for key, dim in _fields(shape) if key == 1 and isinstance(dim, memoryview)]
            if len(sides) == 4:
                return (sides[3], sides[2]) if sides[2] > 0 and sides[3] > 0 else None
    return None


def _inner(message: memoryview, wanted: int) -> memoryview:
    found = (value for number, value in _fields(message) if number == wanted and isinstance(value, memoryview))
    return next(found, memoryview(b""))


def _inner_number(message: memoryview, wanted: int) -> int:
    return next((value for number, value in _fields(message) if number == wanted and isinstance(value, int)), 0)


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """The number and value of each field. Raises ValueError, IndexError where it is no protobuf."""
    at = 0
    while at < len(message):
        key, at = _number(message, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _number(message, at)
            yield key >> 3, value
        elif kind == _BYTES:
            length, at = _number(message, at)
            if at + length > len(message):
                raise ValueError("a field ends behind the file")
            yield key >> 3, message[at : at + length]
            at += length
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(f"a field of an unknown kind {kind}")


def _number(message: memoryview, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if not byte & 128:
            return value, at
        if shift > 63:
            raise ValueError("a number of more than 64 bits")
