"""Puts the model files of reference cases together again, byte by byte, from what decides them.

The tiny models of the cases have random weights: each file was filled by one generator of torch, from one seed, with a
scale for each tensor. So a packed folder holds the seeds, where in the generator's stream each tensor begins, the
scales, and what does not follow from these: headers, small tensors, and the differing bits of the few numbers that
came out otherwise. tools/pack_models.py finds all this; a SHA-256 for each file says whether it is complete.

A packed folder is five parts, each after its length in 8 bytes (little endian): the index (JSON, zlib), bytes as they
are (LZMA), scales that differ within a tensor (float32, zlib), and of the numbers that are corrected the distances from
one to the next and the bits that differ (both as uint32 in planes of bytes, LZMA).
"""

import hashlib
import json
import lzma
import math
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

BLOCK = 16  # torch makes normal numbers in blocks: 8 pairs of uniform numbers, 8 apart, give 8 pairs of normal ones


@dataclass(frozen=True)
class Span:
    """Numbers that lie in a row in a file and in the stream of a generator.

    Attributes:
        start: place of the first byte in the file.
        at: place of the first number in the stream.
        base: `base + scale * normal` is the number.
        scale: one for all, or one for each row or column of a matrix.
        shape: (rows, columns), of numbers.
    """

    start: int
    at: int
    base: float
    scale: float | np.ndarray
    shape: tuple[int, int]

    @property
    def count(self) -> int:
        return self.shape[0] * self.shape[1]


@dataclass(frozen=True)
class PackedFile:
    """One file of a models folder.

    Attributes:
        place: below the folder, such as `VAE/tiny-vae.safetensors`.
        size: bytes.
        width: bytes of a number, 2 or 4.
        literal: the bytes between the spans.
        corrected: places of numbers, counted over all spans, (n,).
        bits: what differs in these, (n,).
    """

    place: str
    sha256: str
    size: int
    width: int
    seed: int
    spans: Sequence[Span]
    literal: bytes
    corrected: np.ndarray = field(repr=False)
    bits: np.ndarray = field(repr=False)

    def write(self, target: Path) -> None:
        """Write the file. Raises ValueError where another came out than was packed."""
        whole = np.zeros(self.size, np.uint8)
        numbers = generated(self.seed, self.spans, self.width)
        numbers[self.corrected] ^= self.bits.astype(numbers.dtype)
        made, free, taken, last = numbers.view(np.uint8), np.frombuffer(self.literal, np.uint8), 0, 0
        at = 0
        for span in self.spans:
            whole[last : span.start] = free[taken : taken + span.start - last]
            taken += span.start - last
            last = span.start + span.count * self.width
            whole[span.start : last] = made[at : at + span.count * self.width]
            at += span.count * self.width
        whole[last:] = free[taken:]
        if hashlib.sha256(whole.data).hexdigest() != self.sha256:
            raise ValueError(f"{self.place}: the numbers of this machine's generator give another file than was packed")
        whole.tofile(target)


def unpack(source: Path, folder: Path, wanted: Callable[[str], bool] = lambda place: True) -> None:
    """Write those files of a packed folder into `folder` whose places are wanted; what is there already stays."""
    for file in read(source):
        target = folder / file.place
        if wanted(file.place) and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            file.write(target)


def read(source: Path) -> Iterator[PackedFile]:
    """The files of a packed folder."""
    parts, data, start = [], source.read_bytes(), 0
    while start < len(data):
        (length,) = struct.unpack_from("<Q", data, start)
        parts.append(data[start + 8 : start + 8 + length])
        start += 8 + length
    index = json.loads(zlib.decompress(parts[0]))
    literals = _Taken(lzma.decompress(parts[1]))
    scales = _Taken(np.frombuffer(zlib.decompress(parts[2]), np.float32))
    gaps, bits = (_Taken(from_planes(lzma.decompress(part))) for part in parts[3:])
    for about in index:
        spans = list(_spans(about, scales.take))
        literal = literals.take(about["size"] - sum(span.count for span in spans) * about["width"])
        corrected = np.cumsum(gaps.take(about["corrected"]), dtype=np.int64)
        yield PackedFile(
            about["place"], about["sha256"], about["size"], about["width"], about["seed"], spans, literal, corrected,
            bits.take(about["corrected"]),
        )  # fmt: skip


def packed(files: Sequence[PackedFile]) -> bytes:
    """The bytes that `read` reads."""
    index, scales = [], []
    for file in files:
        about: dict[str, Any] = {
            "place": file.place, "sha256": file.sha256, "size": file.size, "width": file.width, "seed": file.seed,
            "corrected": len(file.corrected),
        }  # fmt: skip
        columns: dict[str, list[Any]] = {name: [] for name in ("starts", "ats", "bases", "scales", "shapes")}
        end, following = 0, 0
        for span in file.spans:
            columns["starts"].append(span.start - end)
            columns["ats"].append(span.at - following)
            columns["bases"].append(span.base)
            columns["shapes"].append(span.shape)
            if isinstance(span.scale, np.ndarray):
                columns["scales"].append("rows" if len(span.scale) == span.shape[0] else "columns")
                scales.append(span.scale)
            else:
                columns["scales"].append(span.scale)
            end, following = span.start + span.count * file.width, span.at + drawn(span.count)
        index.append(about | columns)
    gaps = [np.diff(file.corrected, prepend=0) for file in files]
    parts = (
        zlib.compress(json.dumps(index).encode(), 9),
        _lzma(b"".join(file.literal for file in files)),
        zlib.compress(np.concatenate([np.zeros(0), *scales]).astype(np.float32).tobytes(), 9),
        _lzma(planes(np.concatenate(gaps))),
        _lzma(planes(np.concatenate([file.bits for file in files]))),
    )
    return b"".join(struct.pack("<Q", len(part)) + part for part in parts)


def generated(seed: int, spans: Sequence[Span], width: int) -> np.ndarray:
    """The numbers of all spans one after another, as the unsigned integers that their bits are, (sum of counts,)."""
    length = max((span.at + drawn(span.count) for span in spans), default=0)
    stream = torch.rand(length, generator=torch.Generator().manual_seed(seed)).numpy()
    made = np.empty(sum(span.count for span in spans), np.float16 if width == 2 else np.float32)
    at = 0
    for span in spans:
        made[at : at + span.count] = scaled(normals(stream, span.at, span.count), span)
        at += span.count
    return made.view(np.uint16 if width == 2 else np.uint32)


def scaled(normal: np.ndarray, span: Span) -> np.ndarray:
    """The numbers of a span from its normal numbers, both (count,), in float32."""
    scale = span.scale
    if isinstance(scale, np.ndarray):
        wide = scale.astype(np.float64)
        matrix = wide[:, None] if len(wide) == span.shape[0] else wide[None]
        return (span.base + normal.reshape(span.shape) * matrix).reshape(-1).astype(np.float32)
    return (span.base + normal * scale).astype(np.float32)


def drawn(count: int) -> int:
    """How many numbers of its stream torch takes for `count` normal numbers, of which there are at least `BLOCK`."""
    return count + (BLOCK if count % BLOCK else 0)


def normals(stream: np.ndarray, at: int, count: int) -> np.ndarray:
    """What `torch.randn(count)` makes of a stream of uniform numbers from place `at` on: Box and Muller's transform
    (Ann. Math. Stat. 29, 1958) in float64, in which machines differ by the last digits at most. The last block is made
    anew where `count` is no multiple of a block.
    """
    made = np.empty(count)
    whole = count // BLOCK * BLOCK
    made[:whole] = _box_muller(stream[at : at + whole])
    if count % BLOCK:
        made[-BLOCK:] = _box_muller(stream[at + count : at + count + BLOCK])
    return made


def planes(numbers: np.ndarray) -> bytes:
    """Numbers as uint32, the first bytes of all, then the second ones, and so on."""
    return numbers.astype("<u4").view(np.uint8).reshape(-1, 4).T.tobytes()


def from_planes(data: bytes) -> np.ndarray:
    return np.ascontiguousarray(np.frombuffer(data, np.uint8).reshape(4, -1).T).view("<u4").reshape(-1)


def _box_muller(uniform: np.ndarray) -> np.ndarray:
    pairs = uniform.astype(np.float64).reshape(-1, 2, BLOCK // 2)
    radius = np.sqrt(-2 * np.log1p(-pairs[:, 0]))
    angle = torch.from_numpy(2 * math.pi * pairs[:, 1])  # torch has six times the speed of numpy here
    return np.stack([radius * angle.cos().numpy(), radius * angle.sin().numpy()], axis=1).reshape(-1)


def _spans(about: dict[str, Any], take: Callable[[int], np.ndarray]) -> Iterator[Span]:
    end, following = 0, 0
    columns = zip(*(about[name] for name in ("starts", "ats", "bases", "scales", "shapes")), strict=True)
    for start, at, base, scale, (rows, wide) in columns:
        if isinstance(scale, str):
            scale = take(rows if scale == "rows" else wide)
        span = Span(end + start, following + at, base, scale, (rows, wide))
        yield span
        end, following = span.start + span.count * about["width"], span.at + drawn(span.count)


def _lzma(data: bytes) -> bytes:
    """Bytes of which every second one is like its neighbours but one, as halves and shorts are."""
    best = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 3, "lp": 1, "pb": 1}
    return lzma.compress(data, format=lzma.FORMAT_XZ, check=lzma.CHECK_NONE, filters=[best])


class _Taken:
    """A row that is taken piece by piece from its beginning."""

    def __init__(self, whole: Any) -> None:
        self._whole, self._at = whole, 0

    def take(self, count: int) -> Any:
        self._at += count
        return self._whole[self._at - count : self._at]
