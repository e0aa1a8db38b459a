"""The command line: flags become settings, then a server or one picture. What they mean is decided in `app.py`."""

import argparse
import contextlib
import logging
import math
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from webui.commands import extensions_cli
from webui.commands.picture_flags import add_picture_flags, picture_fields
from webui.domain.errors import WebuiError
from webui.domain.images import safe_open
from webui.domain.request import GenerationRequest
from webui.domain.saving import ImageFormat
from webui.domain.settings import Settings, environment, merge
from webui.library.resolution import at_trained_size
from webui.output.metadata import read_text
from webui.server.guard import is_loopback

if TYPE_CHECKING:
    from webui.engine.engine import Engine

OK, FAILED, USAGE = 0, 1, 2
EVERYWHERE = "0.0.0.0"
TOKEN_USER = "webui"

log = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code: 0 done, 1 an error told in one sentence, 2 wrong usage."""
    given = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        settings = settings_of(given)
        if given.command == "generate":
            return generate(settings, given)
        if given.command == "upscale":
            return upscale(settings, given)
        if given.command == "extensions":
            return extensions_cli.run(settings, given)
        return serve(settings)
    except WebuiError as error:
        sys.stderr.write(f"webui: {error}\n")
        return FAILED
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """Flags default to None, which means "not given"."""
    top = argparse.ArgumentParser(prog="webui", description="A web UI for Stable Diffusion.", allow_abbrev=False)
    commands = top.add_subparsers(dest="command", metavar="{serve,generate,upscale,extensions}")
    _add_serving(top)
    serving = commands.add_parser("serve", help="start the server (the default)", argument_default=argparse.SUPPRESS)
    _add_serving(serving)
    making = commands.add_parser("generate", help="make pictures and stop", argument_default=argparse.SUPPRESS)
    _add_common(making)
    _add_request(making)
    enlarging = commands.add_parser("upscale", help="enlarge pictures", argument_default=argparse.SUPPRESS)
    _add_common(enlarging)
    _add_upscaling(enlarging)
    extensions_cli.add_parser(commands, _add_common)
    return top


def _add_common(target: argparse.ArgumentParser) -> None:
    add = target.add_argument_group("folders and speed").add_argument
    add("--models-dir", type=Path, help="folder with Stable-diffusion/, VAE/, embeddings/ (default: models)")
    add("--outputs-dir", type=Path, help="where pictures are saved (default: outputs)")
    add("--data-dir", type=Path, help="settings, history, caches (default: data)")
    add("--extensions-dir", type=Path, help="extensions, a folder each (default: extensions)")
    add("--device", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
    add("--precision", choices=("auto", "fp32", "fp16", "bf16"), help="numbers of the networks (default: auto)")
    add("--threads", type=int, help="CPU threads; 0: all cores")
    add("--checkpoints-in-memory", type=int, metavar="N", help="how many stay loaded (default: 1)")
    add("--executor", metavar="NAME", help="where jobs run (default: local, a process of its own)")
    add("--tiled-vae", action="store_true", default=_absent(target), help="decode in tiles, which needs less memory")
    add("--extension-sources", action="append", metavar="DIR", help="extensions may be installed from here by the page")
    add("--disable-extension", dest="disabled_extensions", action="append", metavar="NAME", help="may be repeated")
    add("--image-format", choices=("png", "jpg", "webp"), help="of saved pictures (default: png)")


def _add_serving(target: argparse.ArgumentParser) -> None:
    _add_common(target)
    add = target.add_argument_group("server").add_argument
    flag: dict[str, Any] = {"action": "store_true", "default": _absent(target)}
    add("--host", help="address to listen on (default: 127.0.0.1, this machine only)")
    add("--listen", **flag, help=f"the same as --host {EVERYWHERE}; makes a password where none is set")
    add("--port", type=int, help="default: 7860; 0 takes a free one")
    add("--api", **flag, help="serve the API beside the page")
    add("--nowebui", **flag, help="serve the API alone")
    add("--api-server-stop", **flag, help="clients of the API may end the program")
    add("--api-auth", metavar="USER:PASSWORD[,...]", help="needed for every page and route")
    add("--allowed-host", dest="allowed_hosts", action="append", metavar="NAME", help="a further name of this server")
    add("--cors-origin", dest="cors_origins", action="append", metavar="ORIGIN", help="may call the API from its pages")
    add("--allow-extension-install", **flag, help="the page and the API install extensions for everybody who may call")
    add("--max-queue", type=int, metavar="N", help="jobs that may wait (default: 64)")
    add("--default-checkpoint", metavar="NAME", help="used until another is chosen")
    add("--preview-every", type=int, metavar="STEPS", help="live previews; 0: none (default: 5)")


def _add_request(target: argparse.ArgumentParser) -> None:
    target.add_argument("prompt")
    add = target.add_argument_group("picture").add_argument
    add("-o", "--output", type=Path, help="file to write (further ones get -1, -2, ...); default: the outputs folder")
    add("-n", "--negative", dest="negative_prompt", metavar="TEXT")
    for name, kind in (("steps", int), ("width", int), ("height", int), ("seed", int), ("clip-skip", int)):
        add(f"--{name}", type=kind)
    add("--batch-size", type=int)
    add("--batches", dest="n_iter", type=int, metavar="N")
    add("--cfg-scale", type=float)
    for name in ("sampler", "scheduler", "checkpoint", "vae"):
        add(f"--{name}")
    add("--lora", dest="loras", action="append", metavar="NAME[:STRENGTH]", help="a network to apply; may be repeated")
    add_picture_flags(target)


def _add_upscaling(target: argparse.ArgumentParser) -> None:
    target.add_argument("pictures", nargs="+", type=Path)
    add = target.add_argument_group("picture").add_argument
    add("-o", "--output", type=Path, help="file to write (further ones get -1, -2, ...); default: the outputs folder")
    add("--upscaler", metavar="NAME", help="Lanczos, Nearest or a model in models/ESRGAN (default: Lanczos)")
    add("--second-upscaler", metavar="NAME", help="blended over the first one's picture")
    add("--second-visibility", type=float, metavar="SHARE", help="0 to 1")
    add("--scale", type=float, help="factor on both sides (default: 2)")
    add("--size", metavar="WxH", help="the size wanted, instead of a factor; what stands out is cut off")


def _absent(target: argparse.ArgumentParser) -> str | None:
    """Subcommands leave out what was not given, so that flags before the command's name count too."""
    return argparse.SUPPRESS if target.argument_default == argparse.SUPPRESS else None


def settings_of(given: argparse.Namespace) -> Settings:
    """Flags over `WEBUI_*` variables over settings.json over the defaults.

    Raises:
        WebuiError: naming the setting.
    """
    flags = {name: value for name, value in vars(given).items() if name in Settings.model_fields}
    if getattr(given, "listen", None):
        flags["host"] = given.host or EVERYWHERE
    if getattr(given, "nowebui", None):
        flags |= {"webui": False, "api": True}
    variables = environment()
    folder = merge({}, variables, {"data_dir": flags.get("data_dir")}).data_dir
    return merge(read_settings(folder / "settings.json"), variables, flags)


def read_settings(path: Path) -> dict[str, Any]:
    """What settings.json holds. A broken file is set aside, a wrong key is left out; both are said in the log."""
    try:
        data = TypeAdapter(dict[str, Any]).validate_json(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValidationError as error:
        aside = path.with_name(f"settings.broken-{secrets.token_hex(4)}.json")
        path.rename(aside)
        reason = error.errors(include_input=False)[0]["msg"]
        log.warning("%s cannot be read (%s); it is kept as %s, and defaults are used", path, reason, aside.name)
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


def serve(settings: Settings) -> int:
    """Serve until told to stop."""
    if not is_loopback(settings.host) and not settings.api_auth:
        token = secrets.token_urlsafe(18)
        settings = settings.model_copy(update={"api_auth": f"{TOKEN_USER}:{token}"})
        sys.stdout.write(f"Others can reach this server. User: {TOKEN_USER}  Password: {token}\n")
    from webui.server.serving import run_server  # here, so that --help and wrong flags are answered at once

    return run_server(settings)


def generate(settings: Settings, given: argparse.Namespace) -> int:
    """Make pictures without a server, with progress on standard error."""
    wanted = {name: value for name, value in vars(given).items() if name in GenerationRequest.model_fields}
    wanted |= picture_fields(given)
    wanted["prompt"] = with_loras(given.prompt, getattr(given, "loras", ()))

    def fields(engine: "Engine") -> dict[str, Any]:
        starting = engine.starting_values()
        chosen = starting.with_(checkpoint=wanted.get("checkpoint") or starting.checkpoint)
        return {**dict(at_trained_size(engine.library, chosen)), **wanted}

    return _run(settings, given, fields)


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
    opened = [safe_open(path) for path in given.pictures]
    task |= {"kind": "upscale", "images": opened, "infotexts": [read_text(image) for image in opened]}
    return _run(settings, given, lambda engine: {"task": task})


def _run(settings: Settings, given: argparse.Namespace, wanted: Callable[["Engine"], dict[str, Any]]) -> int:
    """Carry out one request; `wanted` makes its fields."""
    output: Path | None = getattr(given, "output", None)
    if output is not None:
        image_format_of(output)  # before the work, not after it
    from webui.server import app

    with app.engine_of(settings) as engine:
        try:
            request = GenerationRequest.model_validate(wanted(engine))
        except ValidationError as error:
            lines = [f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors()]
            raise WebuiError("; ".join(lines)) from None
        job = engine.submit(request, save=output is None)
        for now in job.watch():
            _show(f"{now.progress.phase} {now.progress.step}/{now.progress.steps}")
        result = job.result()
        _show("")
        for notice in result.notices:
            sys.stderr.write(f"{notice.source}: {notice.text}\n")
        for number, image in enumerate(result.images):
            path = image.path if output is None else str(_numbered(output, number))
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


def _numbered(path: Path, number: int) -> Path:
    return path if number == 0 else path.with_stem(f"{path.stem}-{number}")


def _show(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
