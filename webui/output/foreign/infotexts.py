"""Infotexts, which A1111 and many other programs write: as they are, or with the words of SD.Next put into A1111's."""

import re

from webui.output.foreign.entries import Entries, Told
from webui.output.foreign.sampler_names import sampler_label
from webui.output.parse import parse

_PLACES = ("", "parameters", "Parameters", "comment")  # "": EXIF's UserComment, which A1111 reads before the chunk
_DATA = re.compile(r'\s*(?:\[\s*){0,9}\{\s*"[^"\n]{0,200}"\s*:')
_SDNEXT = "SD.Next"
_SDNEXT_KEYS = (("Scheduler", "Schedule type"), ("CFG rescale factor", "CFG rescale"))


def read(entries: Entries) -> Told | None:
    """The first text that has a line of parameters."""
    for text in _texts(entries):
        fields = parse(text)
        if "Steps" in fields:
            return _sdnext(text, fields) if fields.get("App") == _SDNEXT else _told("an infotext", text, fields)
    return None


def read_plain(entries: Entries) -> Told | None:
    """The first text that is no data of a program: a prompt alone, or anything else that somebody wrote there."""
    return next((_told("a text", text, parse(text)) for text in _texts(entries)), None)


def is_data(text: str) -> bool:
    """Whether a text begins as the data of some program does, whole or cut off, and not as a person writes."""
    return _DATA.match(text) is not None


def _texts(entries: Entries) -> list[str]:
    found = [entries.texts.get(place, "") if place else entries.comment for place in _PLACES]
    return [text for text in found if text and not is_data(text)]


def _told(program: str, text: str, fields: dict[str, str]) -> Told:
    values = {key: value for key, value in fields.items() if key not in ("Prompt", "Negative prompt")}
    return Told(program, fields["Prompt"], fields["Negative prompt"], values, text=text)


def _sdnext(text: str, fields: dict[str, str]) -> Told:
    renamed = dict(fields)
    for theirs, ours in _SDNEXT_KEYS:
        if theirs in renamed:
            renamed.setdefault(ours, renamed.pop(theirs))
    left_out: tuple[str, ...] = ()
    if renamed.get("Sampler") == "Default":
        del renamed["Sampler"]
        left_out = ("the sampler, which was that of the model",)
    elif "Sampler" in renamed:
        sampler, schedule = sampler_label(renamed["Sampler"])
        renamed["Sampler"] = sampler
        if schedule:
            renamed.setdefault("Schedule type", schedule)
    told = _told(_SDNEXT, text, renamed)
    return Told(told.program, told.prompt, told.negative_prompt, told.values, left_out, text)
