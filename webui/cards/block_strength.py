"""How strongly a LoRA acts in each block: the size of its changes, computed from some layers of each block.

The Frobenius norm of a change up @ down needs no product of full size: |U D|^2 = sum((U^T U) * (D D^T)). Numpy alone is
used, as this runs in the process that never loads torch.
"""

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from webui.cards.inspection import block_of, place_of
from webui.domain.errors import UnusableFileError
from webui.library.headers import Header, TensorInfo, read_header

MOST_LAYERS = 6  # of a block that are read
MOST_BLOCKS = 60
MOST_NUMBERS = 16 * 2**20  # of a tensor
_PAIRS = (("lora_down", "lora_up"), ("lora_A", "lora_B"), ("lora.down", "lora.up"))
_FORMATS = MappingProxyType({"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"})


@dataclass(frozen=True, slots=True)
class BlockStrength:
    """Attributes:
    strength: the root mean square of the numbers that are added to a weight, at weight 1.
    layers: how many the block has.
    """

    name: str
    strength: float
    layers: int


def block_strengths(path: Path) -> tuple[BlockStrength, ...]:
    """The strength of each block of a LoRA, in the order of the network; nothing for a network of another kind.

    Raises:
        UnusableFileError: the file cannot be read.
    """
    header = read_header(path)
    blocks: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for down, up in _pairs(header):
        blocks[block_of(down)].append((down, up))
    found = []
    try:
        with path.open("rb") as file:
            for block in sorted(blocks, key=place_of)[:MOST_BLOCKS]:
                layers = blocks[block]
                chosen = layers[:: -(-len(layers) // MOST_LAYERS)]
                squares = [one for pair in chosen if (one := _square(file, header, *pair)) is not None]
                if squares:
                    found.append(BlockStrength(block, math.sqrt(sum(squares) / len(squares)), len(layers)))
    except OSError as error:
        raise UnusableFileError(f"{path.name}: cannot be read ({error.strerror})") from error
    return tuple(found)


def _pairs(header: Header) -> Iterator[tuple[str, str]]:
    """The names of down and up of each layer."""
    for name in header.tensors:
        for down, up in _PAIRS:
            if down in name and name.replace(down, up) in header.tensors:
                yield name, name.replace(down, up)


def _square(file: BinaryIO, header: Header, down: str, up: str) -> float | None:
    """The mean square of a layer's change; None for one that cannot be computed."""
    rows, columns = (_matrix(file, header.tensors[name]) for name in (up, down))
    if rows is None or columns is None or rows.shape[1] != columns.shape[0] or not rows.size or not columns.size:
        return None
    rank = columns.shape[0]
    stem = next(down.partition(f".{word}")[0] for word, _ in _PAIRS if word in down)
    alpha = header.tensors.get(f"{stem}.alpha")
    scale = 1.0
    if alpha is not None and (number := _numbers(file, alpha)) is not None and number.size == 1 and number[0]:
        scale = float(number[0]) / rank
    found = float(((rows.T @ rows) * (columns @ columns.T)).sum()) * scale**2 / (rows.shape[0] * columns.shape[1])
    return found if math.isfinite(found) and found >= 0 else None


def _matrix(file: BinaryIO, info: TensorInfo) -> NDArray[np.float32] | None:
    """A tensor as (first size, all others)."""
    numbers = _numbers(file, info)
    return None if numbers is None or len(info.shape) < 2 else numbers.reshape(info.shape[0], -1)


def _numbers(file: BinaryIO, info: TensorInfo) -> NDArray[np.float32] | None:
    """The numbers of a tensor; None for a format that is not known here, and for too many."""
    if info.dtype not in _FORMATS or math.prod(info.shape) > MOST_NUMBERS or 0 in info.shape:
        return None
    file.seek(info.start)
    raw = np.frombuffer(file.read(info.end - info.start), _FORMATS[info.dtype])
    if info.dtype == "BF16":
        return (raw.astype(np.uint32) << 16).view(np.float32)
    return raw.astype(np.float32)
