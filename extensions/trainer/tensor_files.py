"""What training writes as safetensors, and the hashes that kohya's trainer keeps of a file."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from torch import Tensor

from webui.extension_api.tensors import TensorEntry, packed_tensors, write_safetensors


def write_tensors(
    path: Path,
    entries: Iterable[TensorEntry],
    read: Callable[[str], Tensor],
    metadata: Mapping[str, str],
    *,
    replaces: bool = False,
) -> None:
    """Write `path` in one go, with its folder; see `write_safetensors`.

    Args:
        read: gives the values of an entry when it is its turn.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_safetensors(path, entries, metadata, lambda name: (read(name),), replaces=replaces)


def body_hash(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 in hex of what follows the header (kohya's `sshs_model_hash`)."""
    digest = hashlib.sha256()
    for number, piece in enumerate(packed_tensors(tensors, {})):
        if number:  # the first is the header
            digest.update(piece)
    return digest.hexdigest()


def legacy_hash(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """The short hash of old programs (kohya's `sshs_legacy_hash`): of 64 KiB from the second MiB of the file on."""
    whole = b"".join(packed_tensors(tensors, metadata))
    return hashlib.sha256(whole[0x100000:0x110000]).hexdigest()[:8]
