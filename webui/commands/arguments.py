"""What may stand on the command line and in `COMMANDLINE_ARGS`: commands and flags, ours and other programs'."""

import argparse
import difflib
import logging
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from webui.commands import caption_cli, extensions_cli
from webui.commands.foreign.start_words import TOLERANT, words_of
from webui.commands.foreign.translation import KNOWN, foreign_flags, one_value_each
from webui.commands.picture_flags import add_batch_flags, add_picture_flags
from webui.commands.settings_flags import add_common, add_serving

FLAG = re.compile(r"--[a-z0-9-]+")
EPILOG = "Flags of A1111, Forge and ComfyUI are understood too, also in COMMANDLINE_ARGS: see docs/compatibility.md."

log = logging.getLogger(__name__)


def parser() -> argparse.ArgumentParser:
    """Flags default to None, which means "not given"."""
    return _parsers()[0]


def parse(arguments: Sequence[str], variables: Mapping[str, str]) -> argparse.Namespace:
    """The command line, after the flags that `COMMANDLINE_ARGS` holds. A flag that nobody knows ends with usage.

    Raises:
        WebuiError: the variable cannot be read.
    """
    top, commands = _parsers()
    given, rest = top.parse_known_args(one_value_each([*words_of(variables), *arguments]))
    if rest:
        chosen = commands.get(given.command, top)
        message = unknown(rest, {*FLAG.findall(top.format_help()), *FLAG.findall(chosen.format_help())})
        if not variables.get(TOLERANT):
            chosen.error(message)
        log.warning("%s", message)
    return given


def unknown(words: Sequence[str], known: Collection[str]) -> str:
    """What to say of words that mean nothing here, with the flags that they resemble."""
    names = [word.partition("=")[0] for word in words if word.startswith("-")]
    everything = {*known, *(flag.name for flag in KNOWN)}
    near = (name for one in names for name in difflib.get_close_matches(one, everything, 1))
    meant = f"; did you mean {', '.join(near)}?" if names else ""
    return f"there is no flag {' '.join(words)}{meant}".replace("; did you mean ?", "")


def _parsers() -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """The parser, and those of its commands by name."""
    foreign = [foreign_flags()]  # made once: there are two hundred, and seven parsers understand them
    top = argparse.ArgumentParser(
        prog="webui", description="A web UI for Stable Diffusion.", epilog=EPILOG, allow_abbrev=False, parents=foreign
    )
    commands = top.add_subparsers(dest="command", metavar="{serve,generate,upscale,caption,models,doctor,extensions}")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name, help=text, argument_default=argparse.SUPPRESS, allow_abbrev=False, parents=foreign
        )

    serving, making, enlarging, captioning, listing, examining = (
        add("serve", "start the server (the default)"),
        add("generate", "make pictures and stop"),
        add("upscale", "enlarge pictures"),
        add("caption", "describe pictures in words"),
        add("models", "list the model files and where each lies"),
        add("doctor", "tell what is there, what does not work, and what to do"),
    )
    for one in (top, serving):
        add_serving(one)
    for one in (making, enlarging, captioning, listing, examining):
        add_common(one)
    _add_request(making)
    _add_upscaling(enlarging)
    caption_cli.add_flags(captioning)
    extensions_cli.add_parser(commands, add_common)
    return top, commands.choices


def _add_request(target: argparse.ArgumentParser) -> None:
    target.add_argument("prompt")
    add = target.add_argument_group("picture").add_argument
    add(
        "-o", "--output", type=Path,
        help="file to write (further ones get -1, -2, ...), or folder for a folder's; default: the outputs folder",
    )  # fmt: skip
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
    add_batch_flags(target, of_generate=True)


def _add_upscaling(target: argparse.ArgumentParser) -> None:
    target.add_argument("pictures", nargs="+", type=Path, help="files or folders")
    add = target.add_argument_group("picture").add_argument
    add(
        "-o", "--output", type=Path,
        help="file to write (further ones get -1, -2, ...), or folder for a folder's; default: the outputs folder",
    )  # fmt: skip
    add("--upscaler", metavar="NAME", help="Lanczos, Nearest or a model in models/ESRGAN (default: Lanczos)")
    add("--second-upscaler", metavar="NAME", help="blended over the first one's picture")
    add("--second-visibility", type=float, metavar="SHARE", help="0 to 1")
    add("--scale", type=float, help="factor on both sides (default: 2)")
    add("--size", metavar="WxH", help="the size wanted, instead of a factor; what stands out is cut off")
    add_batch_flags(target, of_generate=False)
