"""What texts of older programs mean today, and the defaults A1111 shows for keys that a text lacks.

Pure functions on the fields that `parse.parse` returns; making a request of them is in `parse.py`. What a missing key
or an old release means for one field alone is said by the table of fields (`domain/parameters/`).
"""

import math
import re
from collections.abc import Mapping
from types import MappingProxyType

from webui.domain.catalog import split_combined
from webui.domain.parameters.row import Version
from webui.domain.parameters.table import keyed

_VERSION = re.compile(
    r"v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:-?(rc)\d{0,9}|-(\d{1,9}))?", re.ASCII | re.IGNORECASE
)
_SECOND_DASH = re.compile(r"([^-]+-[^-]+)-.*")
_EMPHASIS = re.compile(r"[(\[]")
_FIRST_PASS_AREA = 512 * 512
_ADDNET_SLOTS = 5
_OF_OTHER_OPTIONS: Mapping[str, str | int | bool] = MappingProxyType(  # A1111's, which requests here do not have
    {"VAE Encoder": "Full", "VAE Decoder": "Full", "FP8 weight": "Disable"}
)


def with_defaults(fields: Mapping[str, str]) -> dict[str, str | int | bool]:
    """The fields as A1111's `png-info` answers them: brought up to date, defaults filled in for missing keys."""
    modern = modernise(fields)
    meant = _meant_by_version(modern)
    shown: dict[str, str | int | bool] = {
        key: True if value == "True" and key in meant and key not in fields else value for key, value in modern.items()
    }
    of_fields = {key.name: key.shown for _, key in keyed() if key.shown is not None}
    for name, default in {**of_fields, **_OF_OTHER_OPTIONS}.items():
        shown.setdefault(name, default)
    if shown["FP8 weight"] != "Disable":
        shown.setdefault("Cache FP16 weight for LoRA", False)
    if _EMPHASIS.search(fields.get("Prompt", "") + fields.get("Negative prompt", "")):
        shown.setdefault("Emphasis", "Original")
    return shown


def modernise(fields: Mapping[str, str]) -> dict[str, str]:
    """Rewrite the forms of older releases to today's; nothing else is added."""
    modern = dict(fields)
    for sampler_key, schedule_key in (("Sampler", "Schedule type"), ("Hires sampler", "Hires schedule type")):
        sampler, schedule = split_combined(modern.get(sampler_key, ""))
        if sampler != modern.get(sampler_key, ""):
            modern[sampler_key] = sampler
            modern.setdefault(schedule_key, schedule)
    _first_pass(modern)
    _networks(modern)
    for key in _meant_by_version(modern):
        modern.setdefault(key, "True")
    return modern


def parse_version(text: str) -> Version | None:
    """A1111's `git describe` text as a number that can be compared; None for everything else.

    Of `v1.8.0-139-gabc` the part up to the second `-` counts.
    """
    described = _SECOND_DASH.match(text)
    found = _VERSION.fullmatch(described[1] if described else text)
    if not found:
        return None
    major, minor, patch, candidate, commits = found.groups()
    return (int(major), int(minor or 0), int(patch or 0), -1 if candidate else int(commits or 0))


def _meant_by_version(fields: Mapping[str, str]) -> list[str]:
    """Keys that switch on what the release that wrote the text did; none where it names no release."""
    version = parse_version(fields.get("Version", ""))
    if version is None:
        return []
    rules = [(key.name, key.old_rule) for _, key in keyed() if key.old_rule is not None]
    return [name for name, rule in rules if version < rule.before and rule.where(fields)]


def _first_pass(fields: dict[str, str]) -> None:
    """`First pass size` (before hires fix had its own keys): the size moves to `Hires resize`."""
    width, height = _whole(fields.get("First pass size-1")), _whole(fields.get("First pass size-2"))
    if width is None or height is None:
        return
    old = (_whole(fields.get("Size-1")) or 512, _whole(fields.get("Size-2")) or 512)
    if width == 0 or height == 0:
        scale = math.sqrt(_FIRST_PASS_AREA / (old[0] * old[1]))
        width, height = (math.ceil(scale * side / 64) * 64 for side in old)
    fields["Size-1"], fields["Size-2"] = str(width), str(height)
    fields["Hires resize-1"], fields["Hires resize-2"] = str(old[0]), str(old[1])


def _whole(text: str | None) -> int | None:
    return int(text) if text and len(text) < 10 and text.isascii() and text.isdigit() else None


def _networks(fields: dict[str, str]) -> None:
    """Networks that had keys of their own become tags in the prompt."""
    tags = []
    hypernetwork = fields.get("Hypernet", "")
    if hypernetwork:
        tags.append(f"<hypernet:{hypernetwork}:{fields.get('Hypernet strength', '1.0')}>")
    prompt = fields.get("Prompt", "") + "".join(tags)
    loras = []
    for slot in range(1, _ADDNET_SLOTS + 1):
        name = fields.get(f"AddNet Model {slot}", "").partition("(")[0]
        if name and fields.get(f"AddNet Module {slot}") == "LoRA":
            loras.append(f"<lora:{name}:{fields.get(f'AddNet Weight A {slot}', '1.0')}>")
    if loras:
        prompt = f"{prompt}\n{''.join(loras)}"
    if prompt != fields.get("Prompt", ""):
        fields["Prompt"] = prompt
