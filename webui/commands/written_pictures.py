"""What `generate` and `upscale` do with one request: carry it out, tell how far it is, write its files."""

import contextlib
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from webui.domain.errors import WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult
from webui.domain.saving import ImageFormat, Saving

if TYPE_CHECKING:
    from webui.engine.engine import Engine


def validated(fields: Mapping[str, Any]) -> GenerationRequest:
    """The request of these fields. Raises WebuiError, naming each that is wrong."""
    try:
        return GenerationRequest.model_validate(fields)
    except ValidationError as error:
        raise told(error) from None


def told(error: ValidationError) -> WebuiError:
    """Everything that is wrong with a request, as one sentence."""
    lines = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
    return WebuiError("; ".join(lines))


def done(
    engine: "Engine", request: GenerationRequest, *, save: bool, saving: Saving | None = None, before: str = ""
) -> GenerationResult:
    """Carry out a request and wait for it; notices go to standard error.

    Args:
        before: stands in front of the progress.

    Raises:
        WebuiError: it failed, or nobody could go on with it.
    """
    job = engine.submit(request, save=save, saving=saving)
    for now in job.watch():
        if now.is_stuck:  # nobody will do anything about it here
            job.cancel()
            raise WebuiError(now.reason)
        show(f"{before}{now.progress.phase} {now.progress.step}/{now.progress.steps}")
    result = job.result()
    show("")
    for notice in result.notices:
        sys.stderr.write(f"{notice.source}: {notice.text}\n")
    return result


def image_format_of(path: Path) -> ImageFormat:
    """The format that an ending names; PNG where there is none.

    Raises:
        WebuiError: another ending.
    """
    formats: dict[str, ImageFormat] = {"": "png", ".png": "png", ".jpg": "jpg", ".jpeg": "jpg", ".webp": "webp"}
    if path.suffix.lower() not in formats:
        raise WebuiError(f"--output {path}: pictures are written as .png, .jpg or .webp")
    return formats[path.suffix.lower()]


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is complete or not there.

    Raises:
        WebuiError: it cannot be written.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise WebuiError(f"{path}: cannot be written ({error.strerror}); choose another --output") from None


def numbered(path: Path, number: int) -> Path:
    """The path of a further picture beside the first."""
    return path if number == 0 else path.with_stem(f"{path.stem}-{number}")


def show(text: str) -> None:
    """Put a line over the last one, where somebody looks."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
