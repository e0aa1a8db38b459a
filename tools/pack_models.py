"""Packs model files of random weights: finds the place of each tensor in the stream of the generator that made it.

    python -m tools.pack_models MODELS_DIR TARGET PLACE[=SEED] ...

Places are files below MODELS_DIR, each with the seed its weights were made from; one without a seed is kept as it is.
tests/packed.py describes the form and puts the files together again.
"""

import hashlib
import io
import json
import math
import struct
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from tests.packed import BLOCK, PackedFile, Span, drawn, generated, normals, packed, scaled

MOST_DISCARDED = 4_000_000  # numbers of a stream that were drawn for nothing
SPARE = 100_000  # numbers of a stream that are looked through beyond those
LEAST_SURE = 0.02  # of an angle, in turns
SAMPLE = 16_000  # numbers of a tensor that tell whether and how it follows from a stream
ROUNDED = 2.0**-11  # of a number in half precision, relative to it
SURELY = 0.9999  # correlation of what was made with one scale
PERHAPS = 0.2  # correlation that is worth a scale for each row or column
MOST_CORRECTED = 0.55  # of a tensor; where more differs, its numbers are kept as they are


@dataclass(frozen=True)
class _Tensor:
    name: str
    start: int
    shape: tuple[int, ...]
    numbers: np.ndarray  # (count,)

    @property
    def fan_in(self) -> int:
        return math.prod(self.shape[1:])


def pack_file(path: Path, place: str, seed: int | None) -> PackedFile:
    """What decides the bytes of a `.safetensors` file, or a `.pt` as torch writes it; with no seed, all of them."""
    data = path.read_bytes()
    tensors = list(_tensors(path, data)) if seed is not None else []
    width = tensors[0].numbers.dtype.itemsize if tensors else 2
    spans = _found(tensors, seed or 0)
    literal, last = [], 0
    for span in spans:
        literal.append(data[last : span.start])
        last = span.start + span.count * width
    literal.append(data[last:])
    made = generated(seed or 0, spans, width)
    wanted = np.concatenate(
        [
            np.zeros(0, made.dtype),
            *(np.frombuffer(data, made.dtype, span.count, span.start) for span in spans),
        ]
    )
    differing = made ^ wanted
    (corrected,) = np.nonzero(differing)
    return PackedFile(
        place, hashlib.sha256(data).hexdigest(), len(data), width, seed or 0, spans, b"".join(literal), corrected,
        differing[corrected],
    )  # fmt: skip


def _tensors(path: Path, data: bytes) -> Iterator[_Tensor]:
    """The tensors of the number type that the first one worth it has, in the order of the file."""
    kinds = {"F16": np.float16, "F32": np.float32}
    if path.suffix == ".safetensors":
        (length,) = struct.unpack_from("<Q", data)
        header = json.loads(data[8 : 8 + length])
        header.pop("__metadata__", None)
        halves = any(about["dtype"] == "F16" for about in header.values())
        for name, about in header.items():
            if about["dtype"] == ("F16" if halves else "F32"):
                start, shape = 8 + length + about["data_offsets"][0], tuple(about["shape"])
                numbers = np.frombuffer(data, kinds[about["dtype"]], math.prod(shape), start)
                yield _Tensor(name, start, shape, numbers)
        return
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            if "/data/" in info.filename:
                name_length, extra = struct.unpack_from("<HH", data, info.header_offset + 26)
                start, count = info.header_offset + 30 + name_length + extra, info.file_size // 4
                yield _Tensor(info.filename, start, (count,), np.frombuffer(data, np.float32, count, start))


def _found(tensors: Sequence[_Tensor], seed: int) -> list[Span]:
    """The spans that were found, in the order of the file."""
    length = sum(tensor.numbers.size for tensor in tensors)
    length += min(2 * length, MOST_DISCARDED) + SPARE
    stream = torch.rand(length, generator=torch.Generator().manual_seed(seed)).numpy()
    search, spans, left = _Search(stream), [], []
    for tensor in tensors:
        numbers = tensor.numbers.astype(np.float64)
        if numbers.size < BLOCK or np.ptp(numbers) == 0:
            continue
        fitted = (_fitted(tensor, stream, at) for at in search.places(numbers))
        span = next((one for one in fitted if one is not None), None)
        if span is None:
            left.append(tensor)
        else:
            spans.append(span)
    for tensor in left:  # these were changed after they were drawn; each began where another one ended
        free = {span.at + drawn(span.count) for span in spans} | {0}
        for at in sorted(free - {span.at for span in spans}):
            span = _fitted(tensor, stream, at)
            if span is not None:
                spans.append(span)
                break
    return sorted(spans, key=lambda span: span.start)


class _Search:
    """Finds normal numbers in a stream of uniform ones by their last block: the angle of a pair is the second uniform
    number of the pair, whatever the scale is.
    """

    def __init__(self, stream: np.ndarray) -> None:
        self._stream = stream
        self._order = np.argsort(stream)
        self._sorted = stream[self._order]

    def places(self, numbers: np.ndarray) -> list[int]:
        """Places of the stream where numbers may begin, which are normal around 0 or around 1."""
        base = 1.0 if abs(float(numbers.mean()) - 1) < 0.2 else 0.0
        pairs = (numbers[-BLOCK:] - base).reshape(2, -1)
        radius = np.hypot(pairs[0], pairs[1]) + 1e-12
        wanted = np.arctan2(pairs[1], pairs[0]) / (2 * math.pi) % 1
        unsure = 1e-6 + np.abs(numbers[-BLOCK:]).max() * ROUNDED / radius
        surest = int(unsure.argmin())
        if unsure[surest] > LEAST_SURE:
            return []
        low, high = np.searchsorted(self._sorted, (wanted[surest] - unsure[surest], wanted[surest] + unsure[surest]))
        found = self._order[low:high] - surest
        found = found[(found >= BLOCK // 2) & (found < len(self._stream) - BLOCK)]
        for number in range(BLOCK // 2):
            found = found[np.abs(self._stream[found + number] - wanted[number]) < unsure[number]]
        begins = found - BLOCK // 2 - (numbers.size if numbers.size % BLOCK else numbers.size - BLOCK)
        return [int(at) for at in begins if at >= 0]


def _fitted(tensor: _Tensor, stream: np.ndarray, at: int) -> Span | None:
    """The span of a tensor that begins at a place of the stream, or None where it does not."""
    if at + drawn(tensor.numbers.size) > len(stream):
        return None
    few = min(tensor.numbers.size, SAMPLE) // BLOCK * BLOCK
    numbers = tensor.numbers[:few].astype(np.float64)
    normal = normals(stream, at, few)
    likeness = float(np.corrcoef(normal[: few - BLOCK], numbers[: few - BLOCK])[0, 1]) if few > BLOCK else 1.0
    shape = (tensor.shape[0], tensor.fan_in) if len(tensor.shape) > 1 else (1, tensor.numbers.size)
    tried = []
    if likeness > SURELY:
        slope, base = np.polyfit(normal, numbers, 1)
        base = 1.0 if abs(base - 1) < 0.2 else 0.0
        root = math.sqrt(tensor.fan_in)
        rounded = [float(round(slope * root, digits) / root) for digits in (1, 2, 3)]
        scales = [*(round(float(slope), digits) for digits in (2, 3, 4)), *rounded, float(slope)]
        tried = [Span(tensor.start, at, base, scale, shape) for scale in scales]
    elif likeness > PERHAPS and len(tensor.shape) > 1:
        numbers, few = tensor.numbers.astype(np.float64), tensor.numbers.size
        normal = normals(stream, at, few)
        left, right = normal.reshape(shape), numbers.reshape(shape)
        for axis in (0, 1):
            if axis == 0 or shape[0] != shape[1]:  # the number of scales says what they are for, rows or columns
                scale = (left * right).sum(axis) / (left * left).sum(axis)
                tried.append(Span(tensor.start, at, 0.0, scale.astype(np.float32), shape))
    if not tried:
        return None
    kind = tensor.numbers.dtype
    wrong = [int((scaled(normal, span).astype(kind) != tensor.numbers[:few]).sum()) for span in tried]
    least = min(range(len(tried)), key=wrong.__getitem__)
    alike = kind == np.float32 and likeness > SURELY
    return tried[least] if alike or wrong[least] < MOST_CORRECTED * few else None


def main(models_dir: Path, target: Path, *files: str) -> None:
    made = []
    for file in files:
        place, _, seed = file.partition("=")
        one = pack_file(models_dir / place, place, int(seed) if seed else None)
        print(
            f"{place}: {one.size} bytes, {len(one.literal)} as they are, {len(one.corrected)} corrections", flush=True
        )
        made.append(one)
    target.write_bytes(packed(made))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
