"""Converts a pickled model to safetensors, once, in a locked-down child process. The calling process never
unpickles.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from webui.domain.errors import UnusableFileError
from webui.library.files import ModelFile
from webui.library.headers import read_header
from webui.library.library import ModelLibrary
from webui.library.pickles import cached_copy, needs_conversion
from webui.library.unfinished import unfinished

TIMEOUT_SECONDS = 1800
_TOLD = 500  # characters of the child's last output that an error text quotes


def ensure_safetensors(
    library: ModelLibrary, file: ModelFile, progress: Callable[[str], None] = lambda text: None
) -> Path:
    """The path of a safetensors file with the tensors of a model file; a pickle is converted first.

    Raises:
        UnusableFileError: the conversion was refused or failed; says why.
    """
    if needs_conversion(file.path):
        progress(f"converting {file.name}")
        return converted(file.path, library.cache_dir)
    return file.path


def converted(path: Path, cache_dir: Path, *, timeout: float = TIMEOUT_SECONDS) -> Path:
    """The safetensors copy of a pickle in `cache_dir`, made now if it is not there.

    Nested mappings and lists become dotted names (`string_to_param.*`); a checkpoint's `state_dict` is taken alone.
    Texts and numbers beside the tensors become metadata.

    Raises:
        UnusableFileError: not a pickle of tensors, over the limits of memory or time, or damaged.
    """
    copy = cached_copy(path, cache_dir)
    if copy.is_file():
        return copy
    copy.parent.mkdir(parents=True, exist_ok=True)
    folder = unfinished(copy)
    folder.mkdir(mode=0o700)
    try:
        made = folder / "model.safetensors"
        _run(path, made, timeout)
        read_header(made)
        os.replace(made, copy)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return copy


def _run(source: Path, target: Path, timeout: float) -> None:
    """Run the child process without this one's environment, stdin or working folder."""
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-P", "-m", "webui.weights.unpickle", str(source.resolve()), str(target.resolve())]
    environment = {"PYTHONPATH": root, "PATH": os.defpath, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    if sys.platform == "win32":
        environment["SYSTEMROOT"] = os.environ.get("SYSTEMROOT", "")
    try:
        done = subprocess.run(
            command, env=environment, cwd=target.parent, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, timeout=timeout, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise UnusableFileError(f"{source.name}: converting took more than {timeout:.0f} s; it was stopped") from error
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace").strip()
        reason = words.splitlines()[-1][-_TOLD:] if words else f"the converter died (exit status {done.returncode})"
        raise UnusableFileError(f"{source.name}: cannot be converted to safetensors: {reason}")
    if not target.is_file():
        raise UnusableFileError(f"{source.name}: the converter wrote nothing")
