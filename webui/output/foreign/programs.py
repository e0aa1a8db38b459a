"""The table of programs, in the order in which their readers are asked."""

from collections.abc import Callable
from typing import Final

from webui.output.foreign import comfyui, drawthings, fooocus, infotexts, invokeai, novelai, swarmui
from webui.output.foreign.entries import Entries, Told

Reader = Callable[[Entries], Told | None]

READERS: Final[tuple[Reader, ...]] = (
    novelai.read,  # A1111 looks for it before all others
    swarmui.read,
    fooocus.read,
    drawthings.read,
    invokeai.read,
    infotexts.read,  # A1111's own, SD.Next's, and those that nodes of ComfyUI write beside its graph
    comfyui.read,
    infotexts.read_plain,
)
_OF_PROGRAMS = ("parameters", "Comment", "prompt", "workflow", "invokeai_graph", "generation_data", "metadata", "")


def told_by(entries: Entries) -> Told | None:
    """What the entries of an image tell of how it was made; None where they tell nothing."""
    for reader in READERS:
        told = reader(entries)
        if told is not None:
            return told
    unread = [key for key in _OF_PROGRAMS if infotexts.is_data(entries.texts.get(key, "") if key else entries.comment)]
    return Told("another program", understood=False, left_out=tuple(unread)) if unread else None
