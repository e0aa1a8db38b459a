"""`python launch.py extensions install|update|...`: show what would be done, ask, do it. `extensions_cli` begins it."""

import argparse
import contextlib
import sys
from collections.abc import Iterator

from webui.domain.errors import WebuiError
from webui.domain.settings import Settings
from webui.installing.plans import TRUST, Plan
from webui.installing.service import Installer
from webui.plugins.catalog import write_switch
from webui.plugins.loader import folders, peek
from webui.server import app
from webui.server.datalock import DataLock

TASKS = ("install", "update", "enable", "disable", "remove", "rollback", "check")
OK, FAILED = 0, 1


def add_tasks(tasks: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the tasks beside those of `extensions_cli`."""
    source = "https address of a git repository, or the path of a repository, a zip or a folder"
    help_texts = {
        "install": "fetch an extension, show what it is and changes, ask, install it",
        "update": "the same for a newer version; an update that does not load changes nothing",
        "enable": "use it from the next start on",
        "disable": "do not use it from the next start on",
        "remove": "delete an installed extension",
        "rollback": "go back to the version before an update, while it is kept",
        "check": "whether a source, or an installed extension, is all right; nothing is changed",
    }
    for task in TASKS:
        one = tasks.add_parser(task, help=help_texts[task], argument_default=argparse.SUPPRESS)
        names = {"install": "source", "check": "name_or_source"}
        one.add_argument("what", metavar=names.get(task, "name").upper(), help=source if task in names else None)
        if task in ("install", "update", "check"):
            one.add_argument("--ref", metavar="REF", help="a branch, a tag or a commit with all its digits")
        if task in ("install", "update", "remove"):
            one.add_argument("--yes", action="store_true", help="do not ask")


def run(settings: Settings, given: argparse.Namespace) -> int:
    """Do it; 1 where the user said no, or a check found something.

    Raises:
        WebuiError: it cannot be done, or a server that runs uses the data folder.
    """
    task, what = given.task, given.what
    with _installer(settings) as installer:
        match task:
            case "install":
                return _apply(installer, installer.plan_install(what, getattr(given, "ref", "")), given)
            case "update":
                return _update(installer, what, given)
            case "enable" | "disable":
                return _switch(settings, what, on=task == "enable")
            case "remove":
                return _remove(installer, what, given)
            case "rollback":
                return _say(f"{what} is at version {installer.roll_back(what).version} again")
            case _:
                return _check(settings, installer, what, getattr(given, "ref", ""))


@contextlib.contextmanager
def _installer(settings: Settings) -> Iterator[Installer]:
    with contextlib.closing(DataLock(settings.data_dir)):
        installer = app.installer(settings, typed_paths=True)
        installer.recover()
        yield installer


def _update(installer: Installer, name: str, given: argparse.Namespace) -> int:
    plan = installer.plan_update(name, getattr(given, "ref", None))
    return _say(f"{name} is up to date") if plan is None else _apply(installer, plan, given)


def _apply(installer: Installer, plan: Plan, given: argparse.Namespace) -> int:
    _show(plan)
    if not _agreed(f"{plan.action.capitalize()} {plan.manifest.name}?", given):
        installer.discard(plan.token)
        return _say("nothing was changed", FAILED)
    entry = installer.apply(plan.token)
    return _say(f"{plan.manifest.name} {entry.version} is installed; it is there from the next start")


def _show(plan: Plan) -> None:
    for heading, text in plan.rows():
        sys.stdout.write(f"{heading + ':':17}{text}\n")
    sys.stdout.write(f"{TRUST}\n")


def _switch(settings: Settings, name: str, *, on: bool) -> int:
    infos = [peek(folder) for folder in folders(settings.extensions_dir)]
    info = next((one for one in infos if name in (one.name, one.folder)), None)
    if info is None:
        raise WebuiError(f"there is no extension {name!r}; there are: {', '.join(one.name for one in infos) or 'none'}")
    write_switch(settings.data_dir / app.SETTINGS_FILE, (info.name, info.folder), on=on)
    return _say(f"{info.name} is switched {'on' if on else 'off'} from the next start")


def _remove(installer: Installer, name: str, given: argparse.Namespace) -> int:
    if name in installer.records() and not _agreed(f"Remove {name} with all its files?", given):
        return _say("nothing was changed", FAILED)
    unneeded = installer.remove(name)
    more = f"; packages that were installed for it stay: {', '.join(unneeded)}" if unneeded else ""
    return _say(f"{name} is removed{more}")


def _check(settings: Settings, installer: Installer, what: str, ref: str) -> int:
    if not ref and any(what == folder.name for folder in folders(settings.extensions_dir)):
        problems = installer.check(what)
    else:
        plan = installer.plan_install(what, ref)
        _show(plan)
        problems = installer.try_out(plan.token)
    for problem in problems:
        sys.stdout.write(f"{problem}\n")
    return FAILED if problems else _say(f"{what} is all right")


def _agreed(question: str, given: argparse.Namespace) -> bool:
    """Whether the user says yes; nobody there to be asked is a no."""
    if getattr(given, "yes", False):
        return True
    sys.stdout.write(f"{question} [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _say(text: str, code: int = OK) -> int:
    sys.stdout.write(f"{text}\n")
    return code
