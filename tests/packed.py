"""Packs a half-precision checkpoint into few bytes, and puts the file together again.

Most of a tiny checkpoint is its table of tokens, of which a reference case reads a few dozen rows: a packed file keeps
those rows alone and has zeros for the others, and zeros for the tensors that are left out whole. What is kept is kept
exactly. A packed file is three parts, each after its length in 8 bytes (little endian): a table as JSON (zlib), the
upper bytes of all numbers (zlib, Huffman codes alone, because sign and exponent do not repeat but are unevenly spread),
and the lower bytes as they are.
"""

import json
import struct
import zlib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

TOKENS = "token_embedding"
Arrays = Mapping[str, np.ndarray]


def pack(source: Path, target: Path, tokens: Collection[int], keep: Callable[[str], bool], sha256: str) -> None:
    """Write what `keep` says of a safetensors file.

    Args:
        tokens: rows of the token tables that are kept; other rows become 0.
        keep: whether a tensor's numbers are kept; the others become 0. Tensors that are not float16 are left out.
        sha256: of the source, for infotexts that name it.
    """
    rows = sorted(tokens)
    table: dict[str, dict[str, object]] = {}
    numbers = []
    for name, array in sorted(load_file(source).items()):
        if array.dtype != np.float16:
            continue
        chosen = rows if TOKENS in name else None
        table[name] = {"shape": array.shape, "rows": chosen, "kept": keep(name)}
        if keep(name):
            numbers.append((array if chosen is None else array[chosen]).reshape(-1))
    pairs = np.concatenate(numbers).view(np.uint8).reshape(-1, 2)
    codes = zlib.compressobj(9, strategy=zlib.Z_HUFFMAN_ONLY)
    upper = codes.compress(pairs[:, 1].tobytes()) + codes.flush()
    parts = (zlib.compress(json.dumps({"sha256": sha256, "tensors": table}).encode(), 9), upper, pairs[:, 0].tobytes())
    target.write_bytes(b"".join(struct.pack("<Q", len(part)) + part for part in parts))


def unpack(source: Path, target: Path) -> str:
    """Write the whole safetensors file, and give back the SHA-256 of the file that was packed."""
    sha256, tensors = read(source)
    save_file(dict(tensors), target, {"format": "pt"})
    return sha256


def read(source: Path) -> tuple[str, Arrays]:
    """The SHA-256 of the file that was packed, and its tensors."""
    parts, data, start = [], source.read_bytes(), 0
    while start < len(data):
        (length,) = struct.unpack_from("<Q", data, start)
        parts.append(data[start + 8 : start + 8 + length])
        start += 8 + length
    header = json.loads(zlib.decompress(parts[0]))
    upper = np.frombuffer(zlib.decompress(parts[1]), np.uint8)
    numbers = np.stack([np.frombuffer(parts[2], np.uint8), upper], axis=1).reshape(-1).view(np.float16)
    tensors, start = {}, 0
    for name, about in header["tensors"].items():
        whole = np.zeros(about["shape"], np.float16)
        if about["kept"]:
            place = ... if about["rows"] is None else about["rows"]
            size = whole[place].size
            whole[place] = numbers[start : start + size].reshape(whole[place].shape)
            start += size
        tensors[name] = whole
    return header["sha256"], tensors
