"""Showing a file in the file manager of the desktop that this program runs on."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from webui.domain.errors import WebuiError


def has_desktop(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> bool:
    """Whether there is one."""
    return platform in ("win32", "darwin") or bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def command_for(path: Path, platform: str = sys.platform) -> tuple[str, ...]:
    """The command that shows a file; where the system cannot point at one, its folder."""
    if platform == "win32":
        return ("explorer", f"/select,{path}")
    if platform == "darwin":
        return ("open", "-R", str(path))
    return ("xdg-open", str(path.parent))


def reveal(path: Path) -> None:
    """Open the folder of a file. Raises WebuiError where there is no desktop, or no file manager."""
    if not has_desktop():
        raise WebuiError("the machine that this program runs on has no desktop to open a folder on")
    try:
        subprocess.Popen(
            command_for(path), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise WebuiError(f"the folder cannot be opened: {error.strerror or error}") from error
