"""Looks for other programs of the field on this machine, whose models could be used where they lie. Only a few usual
places are looked at, and nothing is read but the names of folders.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from webui.library.other_programs import folders_of_program

USUAL_NAMES = (
    "stable-diffusion-webui",
    "stable-diffusion-webui-forge",
    "stable-diffusion-webui-reForge",
    "sd-webui-forge-neo",
    "automatic",
    "ComfyUI",
    "comfyui",
)


@dataclass(frozen=True, slots=True)
class FoundProgram:
    """Attributes:
    name: such as ComfyUI.
    folder: where it is.
    """

    name: str
    folder: Path


def usual_places(program: Path) -> tuple[Path, ...]:
    """The folders in which other programs usually lie: beside this one, and in the home of its user."""
    places = [program.absolute().parent]
    try:
        home = Path.home()
    except RuntimeError:  # the user has none
        return tuple(places)
    return tuple(dict.fromkeys([*places, home, home / "Documents"]))


def found_programs(places: Iterable[Path], used: Iterable[Path] = ()) -> tuple[FoundProgram, ...]:
    """The programs in these folders under their usual names.

    Args:
        used: folders of programs whose models are used already; they are left out.
    """
    known = {_resolved(folder) for folder in used}
    found = {_resolved(folder): FoundProgram(name, folder) for name, folder in _programs(places)}
    return tuple(one for place, one in found.items() if place not in known)


def _programs(places: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    for place in places:
        for name in USUAL_NAMES:
            folder = place / name
            program = folders_of_program(folder)[0]
            if program:
                yield program, folder


def _resolved(folder: Path) -> Path:
    try:
        return folder.expanduser().resolve()
    except (OSError, RuntimeError):  # a loop of links, or no such user
        return folder
