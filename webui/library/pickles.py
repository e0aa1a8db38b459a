"""Which files are PyTorch pickles, and where their converted copies lie. Never opens a pickle as one."""

import hashlib
from pathlib import Path

from webui.library.cache import version


def needs_conversion(path: Path) -> bool:
    """Whether `path` is a pickle, by content: a safetensors header starts with its length and then `{`."""
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError:
        return False
    is_safetensors = len(start) == 9 and start[8:] == b"{" and start[6:8] == b"\0\0"
    is_zip, is_legacy_pickle = start.startswith(b"PK\x03\x04"), start.startswith(b"\x80")
    return not is_safetensors and (is_zip or is_legacy_pickle)


def cached_copy(path: Path, cache_dir: Path) -> Path:
    """Where the safetensors copy of this very version of `path` is, or will be."""
    identity = f"{path.resolve()}|{version(path)}"
    return cache_dir / "converted" / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.safetensors"
