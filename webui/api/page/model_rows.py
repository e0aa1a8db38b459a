"""Model files as rows of a list: what a name, a header and what was computed before tell. Nothing is hashed here."""

from collections import Counter
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from webui.domain.errors import WebuiError
from webui.library.cards import id_of, preview_of
from webui.library.files import Kind, ModelFile
from webui.library.hashes import SHORT
from webui.library.headers import read_header
from webui.library.library import ModelLibrary
from webui.library.networks import metadata_of

THUMBS = ("checkpoint", "embedding", "lora", "hypernetwork")  # kinds whose cards have pictures
CARDS = (*THUMBS, "vae")  # kinds that have cards
TRAINED_FOR = "ss_base_model_version"  # of trainers, in the metadata of a network file
_UNITS = ("B", "KB", "MB", "GB", "TB")
_NUMBERS = MappingProxyType(
    {"F64": "fp64", "F32": "fp32", "F16": "fp16", "BF16": "bf16", "F8_E4M3": "fp8", "F8_E5M2": "fp8"}
)


def rows_of(library: ModelLibrary, kind: Kind) -> list[dict[str, Any]]:
    """A row for each file of a kind."""
    return [_row(library, file) for file in library.files(kind)]


def _row(library: ModelLibrary, file: ModelFile) -> dict[str, Any]:
    known = library.known_sha256(file)
    row: dict[str, Any] = {
        "name": file.name,
        "title": library.title(file),
        "stem": file.name.rpartition("/")[2].removesuffix(file.path.suffix),
        "kind": file.kind,
        "usable": file.usable,
        "reason": file.reason,
        "size": _size(file),
        "hash": known[:SHORT] if known else "",
        "thumb": _thumb(file),
        "card": id_of(file.name) if file.kind in CARDS and file.usable else "",
        "family": "",
        "prediction": "",
        "numbers": "",
        "notes": [],
    }
    if file.usable:
        row |= _told_by_header(library, file)
    return row


def _told_by_header(library: ModelLibrary, file: ModelFile) -> dict[str, Any]:
    """What the file is; nothing where its header cannot be read now."""
    try:
        if file.kind == "checkpoint":
            spec = library.spec(file)
            return {
                "family": spec.family.label,
                "prediction": spec.prediction,
                "notes": list(spec.notices),
                "numbers": _numbers(library, file),
            }
        if file.kind == "lora":
            trained = metadata_of(library, file).get(TRAINED_FOR, "")
            label = next((one.label for one in library.families if trained and one.trainer_name == trained), "")
            return {"family": label}
    except (WebuiError, OSError) as error:  # it went or was damaged since it was listed
        return {"notes": [str(error)]}
    return {}


def _numbers(library: ModelLibrary, file: ModelFile) -> str:
    """The format of most of its weights."""
    tensors = read_header(library.safetensors(file)).tensors
    found = Counter(one.dtype for one in tensors.values()).most_common(1)
    return _NUMBERS.get(found[0][0], found[0][0].lower()) if found else ""


def _thumb(file: ModelFile) -> str:
    if file.kind not in THUMBS or not file.usable or preview_of(file) is None:
        return ""
    return f"sd_extra_networks/thumb?{urlencode({'kind': file.kind, 'name': file.name})}"


def _size(file: ModelFile) -> str:
    try:
        size = float(file.path.stat().st_size)
    except OSError:
        return ""
    unit = 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit > 2 else f"{size:.0f} {_UNITS[unit]}"
