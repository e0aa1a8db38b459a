"""Checks what an extension brings beside options and actions: settings that last, frames, tools, samplers."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pluggy
from pydantic import ValidationError

from webui.domain.catalog import find_sampler, may_be_sampler, split_combined
from webui.domain.errors import WebuiError
from webui.domain.extensions import FrameInfo
from webui.extension_api.frames import Frame
from webui.extension_api.options import Options
from webui.extension_api.picture_tools import PictureTool, ToolKind
from webui.extension_api.sampler import Sampler
from webui.plugins.manifest import NAME

MOST_FRAMES, MOST_TOOLS, MOST_SAMPLERS = 8, 200, 50
MOST_REMEMBERED = 8  # steps that a sampler is given
MAX_ASSET = 256 * 1024  # bytes of a script or style sheet
KINDS: tuple[ToolKind, ...] = ("preprocessor", "detector", "upscaler")
TOOL_NAME = re.compile(r"[^\x00-\x1f\x7f<>\[\]]{1,60}")

ToolKey = tuple[str, str]  # kind and name


class BroughtError(WebuiError):
    """Something that an extension brings does not fit; the text is for the user."""


def settings_of(manager: pluggy.PluginManager) -> type[Options] | None:
    """The model of its lasting settings. Raises BroughtError unless each of them has a usual value."""
    found = next(iter(manager.hook.settings_options()), None)
    if found is None:
        return None
    if not (isinstance(found, type) and issubclass(found, Options)):
        raise BroughtError(f"settings_options returned {found!r}, expected a subclass of Options")
    try:
        found()
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BroughtError(f"settings_options: {field} needs a usual value ({first['msg']})") from None
    return found


def frames_of(manager: pluggy.PluginManager, folder: Path) -> tuple[FrameInfo, ...]:
    """Its frames, with the texts of their files.

    Raises:
        BroughtError: a name or a file does not fit; files outside the folder are not read.
    """
    made: dict[str, FrameInfo] = {}
    for frame in next(iter(manager.hook.frames()), None) or ():
        if not isinstance(frame, Frame):
            raise BroughtError(f"frames returned {type(frame).__name__}, expected a list of Frame")
        if not NAME.fullmatch(str(frame.name)) or frame.name in made or len(made) == MOST_FRAMES:
            raise BroughtError(
                f"frames: the name {frame.name!r} is taken or not of a-z, 0-9 and _, or there are over {MOST_FRAMES}"
            )
        title = str(frame.title).strip()[:60] or frame.name
        script, style = _text(folder, frame.script, ".js"), _text(folder, frame.style, ".css") if frame.style else ""
        made[frame.name] = FrameInfo(frame.name, title, script, style, sees_prompts=bool(frame.sees_prompts))
    return tuple(made.values())


def tools_of(manager: pluggy.PluginManager) -> Mapping[ToolKey, PictureTool]:
    """Its tools by kind and name. Raises BroughtError where one does not fit."""
    made: dict[ToolKey, PictureTool] = {}
    for tool in next(iter(manager.hook.picture_tools()), None) or ():
        if not isinstance(tool, PictureTool):
            raise BroughtError(f"picture_tools returned {type(tool).__name__}, expected a list of PictureTool")
        if tool.kind not in KINDS or not callable(tool.run):
            raise BroughtError(
                f"picture_tools: {tool.name!r} should be one of {', '.join(KINDS)} with a function `run`"
            )
        key = (tool.kind, str(tool.name))
        if not TOOL_NAME.fullmatch(key[1]) or key[1] != key[1].strip() or key in made or len(made) == MOST_TOOLS:
            raise BroughtError(
                f"picture_tools: the name {tool.name!r} is taken, empty, too long or not of plain characters"
            )
        made[key] = tool
    return MappingProxyType(made)


def samplers_of(manager: pluggy.PluginManager) -> Mapping[str, Sampler]:
    """Its samplers by name. Raises BroughtError where one does not fit."""
    made: dict[str, Sampler] = {}
    for one in next(iter(manager.hook.samplers()), None) or ():
        if not isinstance(one, Sampler):
            raise BroughtError(f"samplers returned {type(one).__name__}, expected a list of Sampler")
        if not callable(one.move) or type(one.memory) is not int or not 0 <= one.memory <= MOST_REMEMBERED:
            raise BroughtError(f"samplers: {one.name!r} needs a function `move` and a memory of 0 to {MOST_REMEMBERED}")
        name = one.name
        if not isinstance(name, str) or not may_be_sampler(name) or name in made or len(made) == MOST_SAMPLERS:
            raise BroughtError(f"samplers: the name {name!r} is taken, empty, too long or not of plain characters")
        if find_sampler(split_combined(name)[0]) is not None:
            raise BroughtError(f"samplers: the program itself has a sampler that {name!r} means; choose another name")
        made[name] = one
    return MappingProxyType(made)


def _text(folder: Path, name: Any, suffix: str) -> str:
    """A text file of the extension."""
    root = folder.resolve()
    path = (root / str(name)).resolve()
    if not path.is_relative_to(root) or path.suffix != suffix:
        raise BroughtError(f"frames: {name!r} should be a {suffix} file in the folder of the extension")
    try:
        with path.open("rb") as opened:
            data = opened.read(MAX_ASSET + 1)
        if len(data) > MAX_ASSET:
            raise BroughtError(f"frames: {name} is larger than {MAX_ASSET // 1024} kB")
        return data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BroughtError(f"frames: {name} cannot be read: {error}") from None
