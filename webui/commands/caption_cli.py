"""`caption`: pictures described in words, by the extension that does so; on request into a .txt beside each."""

import argparse
import base64
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from webui.domain.errors import Cancelled, WebuiError
from webui.domain.settings import Settings
from webui.engine.describer import ACTION, caption_of, describer_of
from webui.experiments.picture_batch import files_in
from webui.library.unfinished import write_atomically

if TYPE_CHECKING:
    from webui.engine.engine import Engine

OK, FAILED = 0, 1
SIDECAR = ".txt"
MAX_FILE = 256 * 2**20  # bytes of a picture


def add_flags(target: argparse.ArgumentParser) -> None:
    """What `caption` takes."""
    target.add_argument("pictures", nargs="+", type=Path, help="files or folders")
    add = target.add_argument_group("description").add_argument
    add("--model", metavar="NAME", help="clip, deepdanbooru or a tagger; default: as set, else the first that is there")
    add(
        "--option", dest="options", action="append", metavar="NAME=VALUE",
        help="another option of the extension, such as threshold=0.4 or leave_out=simple_background; may be repeated",
    )  # fmt: skip
    add("--before", metavar="TEXT", help="stands before each description, such as the word that is trained")
    add("--write", action="store_true", help="write each into a .txt beside its picture; one that is there is kept")
    add("--overwrite", action="store_true", help="with --write: replace what is there")


def run(settings: Settings, given: argparse.Namespace) -> int:
    """Describe the pictures.

    Returns:
        Whether each was described, as an exit code.

    Raises:
        WebuiError: there is no picture, or nothing that describes.
    """
    shown = vars(given)
    pictures = _pictures(given.pictures)
    wishes = _wishes(shown.get("options", ()), shown.get("model", ""))
    writes, replaces = bool(shown.get("write")), bool(shown.get("overwrite"))
    if replaces and not writes:
        raise WebuiError("--overwrite goes with --write")
    from webui.server import app  # here, so that a wrong flag is answered at once

    failed = 0
    with app.engine_of(settings) as engine:
        describer = describer_of(engine.extensions)
        if describer is None:
            raise WebuiError("no extension that describes pictures is there; captions is, if it is switched on")
        for picture in pictures:
            place = picture.with_suffix(SIDECAR)
            if writes and not replaces and place.exists():
                sys.stderr.write(f"{place}: is there and is kept; --overwrite replaces it\n")
                continue
            try:
                text = _described(engine, describer, picture, wishes)
                text = ", ".join(filter(None, [shown.get("before", ""), text]))
                if writes:
                    _write(place, text)
            except Cancelled:
                raise
            except WebuiError as error:
                sys.stderr.write(f"{picture}: {error}\n")
                failed += 1
                continue
            sys.stdout.write(f"{place}\n" if writes else f"{picture}: {text}\n")
    return FAILED if failed else OK


def _described(engine: "Engine", describer: str, picture: Path, wishes: dict[str, Any]) -> str:
    try:
        if picture.stat().st_size > MAX_FILE:
            raise WebuiError(f"has more than {MAX_FILE // 2**20} MiB")
        data = picture.read_bytes()
    except OSError as error:
        raise WebuiError(f"cannot be read: {error.strerror}") from error
    wish = {**wishes, "image": base64.b64encode(data).decode("ascii")}
    return caption_of(engine.act(describer, ACTION, wish).result())


def _pictures(paths: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise WebuiError(f"there is no {path}")
        found += [path / one.name for one in files_in(path)[0]] if path.is_dir() else [path]
    if not found:
        raise WebuiError("there is no picture in what was named")
    return list(dict.fromkeys(found))


def _wishes(options: Iterable[str], model: str) -> dict[str, Any]:
    """Options by name; a value that is JSON (a number, true) is read as such."""
    wishes: dict[str, Any] = {"model": model} if model else {}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals or not name.isidentifier():
            raise WebuiError(f"--option {option}: write a name and a value, as in threshold=0.4")
        try:
            wishes[name] = json.loads(value)
        except ValueError:
            wishes[name] = value
    return wishes


def _write(place: Path, text: str) -> None:
    try:
        write_atomically(place, f"{text}\n".encode())
    except OSError as error:
        raise WebuiError(f"{place} cannot be written: {error.strerror}") from error
