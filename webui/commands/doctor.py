"""`python launch.py doctor`: what is there, what does not work, and what to do about it."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from webui import VERSION
from webui.commands.extensions_cli import line
from webui.domain.errors import BackUnavailableError
from webui.domain.settings import Settings
from webui.executors.placement import Place, places_of
from webui.hardware.graphics_cards import GraphicsCard, cards_here
from webui.hardware.main_memory import free_main_memory
from webui.hardware.torch_builds import choose, installed_build, unused
from webui.library.files import FOLDERS
from webui.library.library import ModelLibrary
from webui.library.other_programs import with_all_folders
from webui.library.passed_over import passed_over
from webui.plugins.describing import CACHE, describe_all
from webui.weights.families.registry import FAMILIES

OK, FAILED = 0, 1
_SECONDS = 120
_ROOM = 2 * 2**30  # bytes on a disk below which writing pictures and caches soon fails
_MEMORY = 4 * 2**30  # bytes of main memory below which even a small checkpoint finds no room
_SHOWN = 12  # files of one kind of trouble
_OURS = re.compile(r"^webui\.domain\.errors\.\w+: (?P<text>.*?)(?: \(`python launch\.py doctor` says why\))?$")
# torch is asked in a process of its own: the front never loads it, and one that is broken may end its process
_PROBE = """
import json, pathlib, torch
from webui.weights.kernel_choice import settled
from webui.weights.precision import resolve, set_up
device, dtype, fast = resolve(DEVICE, PRECISION)
set_up(device, dtype, fast_cpu=fast)
dtype, _ = settled(pathlib.Path(CACHE_FOLDER), PRECISION, dtype, fast_cpu=fast)
found = {"version": torch.__version__, "device": str(device), "format": str(dtype).removeprefix("torch.")}
if device.type in ("cuda", "xpu"):
    found["free"], found["memory"] = getattr(torch, device.type).mem_get_info(device)
    found["name"] = getattr(torch, device.type).get_device_name(device)
if device.type == "cuda":
    torch.ones(2, device=device).sum().item()
print(json.dumps(found))
"""


def run(settings: Settings) -> int:
    """Write the report to standard output; 1 where something does not work."""
    settings = with_all_folders(settings)
    cards = cards_here()
    advice: list[str] = []
    parts = (
        _machine(cards, advice),
        _torch(settings, cards, advice),
        _folders(settings, advice),
        _models(settings, advice),
        _extensions(settings, advice),
    )
    for part in parts:
        for text in part:
            sys.stdout.write(f"{text}\n")
    sys.stdout.write("what to do:\n" if advice else "nothing to do: all of it works\n")
    for text in dict.fromkeys(advice):
        sys.stdout.write(f"  {text}\n")
    return FAILED if advice else OK


def _machine(cards: tuple[GraphicsCard, ...], advice: list[str]) -> Iterator[str]:
    yield f"program {VERSION}, Python {platform.python_version()}, {platform.platform()}"
    for card in cards:
        yield f"card: {card.told}"
    if not cards:
        yield "card: none that torch could use; jobs run on the processor"
    if free := free_main_memory():
        yield f"main memory: {free / 2**30:.1f} GiB free"
        if free < _MEMORY:
            advice.append(f"close other programs: {free / 2**30:.1f} GiB of main memory are free")
    warning = unused(cards, installed_build(Path(sys.prefix)))
    if warning:
        advice.append(warning)
    elif cards and cards[0].maker in ("nvidia", "amd") and not choose(cards).builds:
        advice.append(choose(cards).told)


def _torch(settings: Settings, cards: tuple[GraphicsCard, ...], advice: list[str]) -> Iterator[str]:
    try:
        places = places_of(settings.for_back(disabled=(), broken=()))
    except BackUnavailableError as error:
        yield f"torch: {error}"
        advice.append("name a device that is there, or write --device auto")
        return
    for place in {(one.settings.device, *one.variables.items()): one for one in places}.values():
        told, problem = _probed(place)
        if ours := _OURS.match(problem):
            yield f"torch: {ours['text']}"
            advice.append("name a device and a precision that are there, or leave both at auto")
            return
        if problem:
            yield f"torch: {problem}"
            advice.append(
                "torch cannot be used as it is set up: python launch.py setup --reinstall-torch, or --device cpu"
            )
            return
        yield f"torch: {told['version']}; jobs run on {told['device']} in {told['format']}"
        if "memory" in told:
            yield f"  {told['name']}: {told['free'] >> 20} of {told['memory'] >> 20} MiB are free"


def _probed(place: Place) -> tuple[Mapping[str, Any], str]:
    """What torch says of itself in a process that sees what the worker of a device sees, or why it says nothing."""
    settings = place.settings
    code = _PROBE.replace("DEVICE", repr(settings.device)).replace("PRECISION", repr(settings.precision))
    code = code.replace("CACHE_FOLDER", repr(str((settings.data_dir / "cache").resolve())))
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
            env={**os.environ, **place.variables},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return {}, str(error)
    if done.returncode:
        return {}, (done.stderr.strip().splitlines() or [f"ended with code {done.returncode}"])[-1]
    found: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found, ""


def _folders(settings: Settings, advice: list[str]) -> Iterator[str]:
    named = {"models": settings.models_dir, "data": settings.data_dir, "pictures": settings.outputs_dir}
    for name, folder in named.items():
        there = next(place for place in (folder.resolve(), *folder.resolve().parents) if place.is_dir())
        free = shutil.disk_usage(there).free
        note = "" if folder.is_dir() else " (not there yet)"
        yield f"{name}: {folder}{note}, {free >> 30} GiB free"
        if free < _ROOM:
            advice.append(f"make room on the disk of {folder}: {free >> 20} MiB are left")
        if not _is_writable(there):
            advice.append(f"{folder} cannot be written to; change its permissions or choose another folder")


def _is_writable(folder: Path) -> bool:
    probe = folder / ".webui-doctor"
    try:
        probe.write_bytes(b"")
        probe.unlink()
    except OSError:
        return False
    return True


def _models(settings: Settings, advice: list[str]) -> Iterator[str]:
    library = ModelLibrary(settings.models_dir, settings.data_dir / "cache", FAMILIES, further=settings.model_folders)
    counts, broken = [], []
    for kind in FOLDERS:
        usable = [file for file in library.files(kind) if file.usable]
        counts += [f"{len(usable)} {kind}"] if usable else []
        broken += [file for file in library.files(kind) if not file.usable]
    yield f"usable model files: {', '.join(counts) or 'none'}"
    for file in broken:
        yield f"  unusable: {file.path}: {file.reason.removeprefix(f'{file.name}: ')}"
        advice.append(f"replace or move away {file.path}: {file.reason.removeprefix(f'{file.name}: ')}")
    others = list(passed_over(settings.models_dir))
    for other in others[:_SHOWN]:
        yield f"  passed over: {other.path}: {other.what}; {other.advice}"
    if len(others) > _SHOWN:
        yield f"  passed over: {len(others) - _SHOWN} more files"
    if not any(file.usable for file in library.files("checkpoint")):
        advice.append(f"put a checkpoint into {settings.models_dir / FOLDERS['checkpoint'][0]}, or name a folder of "
                      "another program with --use-models-of")  # fmt: skip


def _extensions(settings: Settings, advice: list[str]) -> Iterator[str]:
    infos = describe_all(settings.extensions_dir, settings.data_dir / CACHE, settings.disabled_extensions)
    working = [info.name for info in infos if info.state == "ok" and not info.notice]
    off = [info.name for info in infos if info.state == "disabled"]
    yield f"extensions that work: {', '.join(working) or 'none'}"
    if off:
        yield f"  switched off: {', '.join(off)}"
    for info in infos:
        if info.name not in (*working, *off):
            yield f"  {line(info)}"
        if info.state in ("failed", "aside"):
            advice.append(f"extension {info.name}: {info.error}")
