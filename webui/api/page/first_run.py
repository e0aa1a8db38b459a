"""What somebody should know before the first picture: what can be painted with, on what, and where models go."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from starlette.requests import Request

from webui.api.late_routes import Router
from webui.api.page.messages import Message
from webui.api.parts import Parts
from webui.domain.errors import WebuiError
from webui.library.files import FOLDERS, Kind
from webui.library.fitting import fitting
from webui.library.found_programs import found_programs, usual_places
from webui.library.library import ModelLibrary
from webui.library.machine import this_machine
from webui.preferences.door import PreferencesDoor

SHOWN_KINDS: tuple[Kind, ...] = ("checkpoint", "lora", "vae")
KINDS: Mapping[Kind, str] = MappingProxyType(
    {"checkpoint": "Checkpoints", "lora": "LoRA", "vae": "VAE"}  # what the page calls them
)


class ModelPlace(Message):
    """A folder that files of one kind are put into."""

    kind: str
    folder: str


class OtherProgram(Message):
    """A program on this machine whose models could be used where they lie."""

    name: str
    folder: str


class FittingSize(Message):
    """The largest picture of a kind of checkpoint that there is memory for."""

    kind: str
    width: int
    height: int


class FirstRun(Message):
    """What the page says before the first picture.

    Attributes:
        checkpoints: how many can be used.
        miniature: the name of a small one that came with the program, which is used now; "" where another is.
        cards: graphics cards.
        memory: GiB of main memory.
        card_memory: GiB of the first card; 0 where nobody knows.
        fits: what there is memory for on the device in use.
        device: the setting: auto, cpu, cuda and so on.
        programs: others that were found; none where the reader may not use their folders.
        used: folders of programs that are used already, to which one can be added.
    """

    checkpoints: int
    miniature: str
    cards: tuple[str, ...]
    threads: int
    memory: float
    card_memory: float
    fits: tuple[FittingSize, ...]
    device: str
    places: tuple[ModelPlace, ...]
    programs: tuple[OtherProgram, ...]
    used: tuple[str, ...]


def routes(parts: Parts, door: PreferencesDoor) -> Router:
    """`GET first_run` alone."""
    router = Router()
    library = parts.engine.library

    @router.get("/first_run")
    def first_run(request: Request) -> FirstRun:
        client = request.client.host if request.client is not None else ""
        is_local = door.may_widen(client, request.headers)
        settings, machine = door.preferences.wanted, this_machine()
        used = settings.use_models_of
        programs = found_programs(usual_places(library.models_dir.absolute().parent), used) if is_local else ()
        on_card = bool(machine.card_memory) and settings.device != "cpu"
        is_unknown = bool(machine.cards) and not on_card and settings.device != "cpu"
        sizes = () if is_unknown else fitting(machine.card_memory if on_card else machine.memory, on_card=on_card)
        usable = [file for file in library.checkpoints() if file.usable]
        return FirstRun(
            checkpoints=len(usable),
            miniature=_miniature(library, parts.engine.starting_values().checkpoint) if usable else "",
            cards=machine.cards,
            threads=machine.threads,
            memory=round(machine.memory / 2**30, 1),
            card_memory=round(machine.card_memory / 2**30, 1),
            fits=tuple(FittingSize(kind=one.kind, width=one.width, height=one.height) for one in sizes),
            device=settings.device,
            places=tuple(
                ModelPlace(kind=KINDS[kind], folder=_shown(library.models_dir / FOLDERS[kind][0], is_local))
                for kind in SHOWN_KINDS
            ),
            programs=tuple(OtherProgram(name=one.name, folder=str(one.folder)) for one in programs),
            used=tuple(map(str, used)) if is_local else (),
        )

    return router


def _miniature(library: ModelLibrary, chosen: str) -> str:
    """The checkpoint that is used, where it came with the program."""
    files = [file for file in library.checkpoints() if file.usable]
    file = next((one for one in files if chosen in (one.name, one.stem)), files[0])
    try:
        return file.name if library.is_bundled(file) else ""
    except WebuiError:  # its header cannot be read now
        return ""


def _shown(folder: Path, is_local: bool) -> str:
    """A folder as its reader may see it: others need not know where on the machine it lies."""
    return str(folder) if is_local else f"{folder.parent.name}/{folder.name}"
