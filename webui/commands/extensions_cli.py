"""`python launch.py extensions ...`: what the command line can do with extensions. Flags are parsed in `cli.py`."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from webui.commands import installing_cli
from webui.domain.extensions import ExtensionInfo
from webui.domain.settings import Settings
from webui.plugins.describing import CACHE, describe_all
from webui.plugins.skeleton import write_skeleton

TESTS = Path("tests") / "extensions"
OK, FAILED = 0, 1


def add_parser(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    common: Callable[[argparse.ArgumentParser], None],
) -> None:
    """Add the command; `common` adds the flags that all commands share, before or after the task's name."""
    top = commands.add_parser(
        "extensions", help="list, begin, install, update, remove extensions", argument_default=argparse.SUPPRESS
    )
    tasks = top.add_subparsers(dest="task", metavar=f"{{list,new,{','.join(installing_cli.TASKS)}}}", required=True)
    tasks.add_parser("list", help="what is there, and what does not work", argument_default=argparse.SUPPRESS)
    new = tasks.add_parser("new", help="write a working extension with its test", argument_default=argparse.SUPPRESS)
    new.add_argument("name", help="a-z, 0-9 and _")
    installing_cli.add_tasks(tasks)
    for parser in (top, *tasks.choices.values()):
        common(parser)


def run(settings: Settings, given: argparse.Namespace) -> int:
    """Do it; 1 where an extension does not work."""
    if given.task in installing_cli.TASKS:
        return installing_cli.run(settings, given)
    if given.task == "new":
        for path in write_skeleton(given.name, settings.extensions_dir, TESTS):
            sys.stdout.write(f"wrote {path}\n")
        sys.stdout.write(f"try it: python -m pytest {TESTS / f'test_{given.name}.py'}\n")
        return OK
    infos = describe_all(settings.extensions_dir, settings.data_dir / CACHE, settings.disabled_extensions)
    for info in infos:
        sys.stdout.write(f"{line(info)}\n")
    if not infos:
        sys.stdout.write(f"there are no extensions in {settings.extensions_dir}\n")
    return FAILED if any(info.state == "failed" for info in infos) else OK


def line(info: ExtensionInfo) -> str:
    """One extension in a line, and why it does not work, or what is to be known of it, in a second."""
    head = f"{info.state:8} {info.name} {info.version}".rstrip() + (f": {info.description}" if info.description else "")
    return head + "".join(f"\n         {text}" for text in (info.error, info.notice) if text)
