"""The command line: flags become settings, then a server or one picture. What they mean is decided in `app.py`."""

import argparse
import logging
import math
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from webui.commands import caption_cli, doctor, extensions_cli, models_cli
from webui.commands.arguments import parse
from webui.commands.foreign.translation import joined, translated
from webui.commands.given_settings import given_settings
from webui.commands.picture_flags import folder_fields, names_a_folder, picture_fields
from webui.commands.settings_flags import A1111_PRECISIONS, EVERYWHERE
from webui.commands.written_pictures import done, image_format_of, numbered, validated, write_whole
from webui.domain.errors import UnusableFileError, WebuiError
from webui.domain.images import safe_open
from webui.domain.request import GenerationRequest
from webui.domain.settings import Settings, environment, merge
from webui.installing.lockfile import FILE as LOCK_FILE
from webui.installing.lockfile import LockFile
from webui.library.json_object import keep_aside, read_json_object
from webui.library.other_programs import EXTRA_PATHS_FILE, folders_of_program
from webui.library.resolution import at_trained_size
from webui.output.metadata import read_text
from webui.plugins.loader import folders
from webui.server.guard import is_loopback

if TYPE_CHECKING:
    from webui.engine.engine import Engine

OK, FAILED, USAGE = 0, 1, 2
TOKEN_USER = "webui"
EXTRA_PATHS = Path(__file__).resolve().parents[2] / EXTRA_PATHS_FILE  # beside launch.py

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code: 0 done, 1 an error told in one sentence, 2 wrong usage."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        given = parse(sys.argv[1:] if arguments is None else arguments, environment())
        settings = settings_of(given)
        for remark in translated(given).remarks:
            log.warning("%s", remark)
        if given.command == "generate":
            return generate(settings, given)
        if given.command == "upscale":
            return upscale(settings, given)
        if given.command == "caption":
            return caption_cli.run(settings, given)
        if given.command == "models":
            return models_cli.run(settings)
        if given.command == "doctor":
            return doctor.run(settings)
        if given.command == "extensions":
            return extensions_cli.run(settings, given)
        return serve(settings, given_settings(given, environment()))
    except WebuiError as error:
        sys.stderr.write(f"webui: {error}\n")
        return FAILED
    except KeyboardInterrupt:
        return 130


def settings_of(given: argparse.Namespace) -> Settings:
    """Flags over `WEBUI_*` variables over settings.json over the defaults.

    Raises:
        WebuiError: naming the setting.
    """
    foreign = translated(given)
    own = {name: value for name, value in vars(given).items() if name in Settings.model_fields and value is not None}
    if own.get("precision") in A1111_PRECISIONS:
        word = own.pop("precision")
        own |= {"precision": "fp32"} if word == "full" else {}
    flags = joined((own, foreign.settings))
    if getattr(given, "listen", None):
        flags.setdefault("host", EVERYWHERE)
    if getattr(given, "nowebui", None):
        flags |= {"webui": False, "api": True}
    variables = environment()
    folder = merge({}, variables, {"data_dir": flags.get("data_dir")}).data_dir
    if "data_dir" in flags and "models_dir" not in flags and folders_of_program(folder)[0]:
        flags["use_models_of"] = (*flags.get("use_models_of", ()), folder)  # an A1111's data folder holds models too
    settings = merge(read_settings(folder / "settings.json"), variables, flags)
    if not settings.extra_model_paths and EXTRA_PATHS.is_file():
        settings = settings.model_copy(update={"extra_model_paths": (EXTRA_PATHS,)})
    if foreign.spared is not None:
        off = _switched_off(settings, foreign.spared)
        settings = settings.model_copy(update={"disabled_extensions": (*settings.disabled_extensions, *off)})
    return settings


def _switched_off(settings: Settings, spared: str) -> tuple[str, ...]:
    """The extensions that do not run where all are switched off, but the spared ones: none, or the bundled."""
    there = tuple(folder.name for folder in folders(settings.extensions_dir))
    if spared == "none":
        return there
    installed = LockFile(settings.data_dir / LOCK_FILE).read().records
    return tuple(name for name in there if name in installed)


def read_settings(path: Path) -> dict[str, Any]:
    """What settings.json holds. A broken file is set aside, a wrong key is left out; both are said in the log."""
    try:
        data = read_json_object(path)
    except FileNotFoundError:
        return {}
    except (UnusableFileError, IsADirectoryError) as error:
        keep_aside(path, str(error))
        return {}
    except OSError as error:
        log.warning("%s cannot be read (%s); the defaults are used", path, error.strerror)
        return {}
    good: dict[str, Any] = {}
    for name, value in data.items():
        try:
            merge({name: value}, {}, {})
        except WebuiError as error:
            log.warning("%s: %s; left out", path, error)
        else:
            good[name] = value
    return good


def serve(settings: Settings, given: Mapping[str, str] = MappingProxyType({})) -> int:
    """Serve until told to stop.

    Args:
        given: the settings that a flag or a variable gives, each with its name.
    """
    if not is_loopback(settings.host) and not settings.api_auth:
        token = secrets.token_urlsafe(18)
        settings = settings.model_copy(update={"api_auth": f"{TOKEN_USER}:{token}"})
        sys.stdout.write(f"Others can reach this server. User: {TOKEN_USER}  Password: {token}\n")
    from webui.server.serving import run_server  # here, so that --help and wrong flags are answered at once

    return run_server(settings, given)


def generate(settings: Settings, given: argparse.Namespace) -> int:
    """Make pictures without a server, with progress on standard error."""
    wanted = {name: value for name, value in vars(given).items() if name in GenerationRequest.model_fields}
    is_batch = names_a_folder(given)
    wanted |= folder_fields(given) if is_batch else picture_fields(given)
    wanted["prompt"] = with_loras(given.prompt, getattr(given, "loras", ()))

    def fields(engine: "Engine") -> dict[str, Any]:
        starting = engine.starting_values()
        chosen = starting.with_(checkpoint=wanted.get("checkpoint") or starting.checkpoint)
        return {**dict(at_trained_size(engine.library, chosen)), **wanted}

    return _run_batch(settings, given, fields) if is_batch else _run(settings, given, fields)


def upscale(settings: Settings, given: argparse.Namespace) -> int:
    """Enlarge pictures without a server.

    Raises:
        WebuiError: a file is no picture, or an option is wrong.
    """
    names = ("upscaler", "second_upscaler", "second_visibility", "scale")
    task: dict[str, Any] = {name: value for name, value in vars(given).items() if name in names}
    if size := getattr(given, "size", None):
        width, _, height = size.partition("x")
        task |= {"mode": "to", "width": width, "height": height}
    if names_a_folder(given):
        return _run_batch(settings, given, lambda engine: {"task": {**task, "kind": "upscale"}})
    opened = [safe_open(path) for path in given.pictures]
    task |= {"kind": "upscale", "images": opened, "infotexts": [read_text(image) for image in opened]}
    return _run(settings, given, lambda engine: {"task": task})


def _run_batch(settings: Settings, given: argparse.Namespace, wanted: Callable[["Engine"], dict[str, Any]]) -> int:
    """Carry out a request for each picture of a folder."""
    from webui.commands import batch_cli  # here, as it brings the engine, which --help does not need

    return batch_cli.run(settings, given, wanted)


def _run(settings: Settings, given: argparse.Namespace, wanted: Callable[["Engine"], dict[str, Any]]) -> int:
    """Carry out one request; `wanted` makes its fields."""
    output: Path | None = getattr(given, "output", None)
    if output is not None:
        image_format_of(output)  # before the work, not after it
    from webui.server import app

    with app.engine_of(settings) as engine:
        result = done(engine, validated(wanted(engine)), save=output is None)
        for number, image in enumerate(result.images):
            path = image.path if output is None else str(numbered(output, number))
            if output is not None:
                saving = settings.saving.model_copy(update={"image_format": image_format_of(output)})
                write_whole(Path(path), app.encoded(saving, image).data)
            sys.stdout.write(f"{path}\n")
    return OK


def with_loras(prompt: str, loras: Sequence[str]) -> str:
    """The prompt with a tag for each `name`, `name:0.8` or `name:0.8:1` (text encoder and UNet).

    Raises:
        WebuiError: a strength is not a number, or there is no name.
    """
    for text in loras:
        name, *strengths = text.split(":")
        try:
            known = bool(name) and len(strengths) <= 2 and all(math.isfinite(float(one)) for one in strengths)
        except ValueError:
            known = False
        if not known or set("<>") & set(name):
            raise WebuiError(f"--lora {text}: write the name of a file in models/Lora and a number, as in ink:0.8")
        prompt = f"{prompt} <lora:{text}>"
    return prompt
