"""Finds extensions and runs their `plugin.py`. A failure stays one extension's and is recorded with its traceback."""

import contextlib
import importlib.metadata
import re
import shlex
import sys
import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pluggy

from webui.domain.errors import WebuiError
from webui.domain.extensions import SAMPLER, ActionInfo, ExtensionInfo
from webui.extension_api.action import Action
from webui.extension_api.hookspecs import AppSpec
from webui.extension_api.markers import PROJECT
from webui.extension_api.options import Options
from webui.extension_api.picture_tools import PictureTool
from webui.extension_api.sampler import Sampler
from webui.extension_api.script import Script
from webui.plugins.brought import BroughtError, ToolKey, frames_of, samplers_of, settings_of, tools_of
from webui.plugins.calling import Calls, ExtensionError, said
from webui.plugins.codetrace import CodeTrace
from webui.plugins.declared import dialect_of
from webui.plugins.extension_modules import ExtensionModules, is_of_extension
from webui.plugins.form_hints import with_checked_hints
from webui.plugins.manifest import NAME, Manifest, read_manifest
from webui.plugins.options import schema_of
from webui.plugins.script_actions import action_of, checked, info_of

NOT_EXTENSIONS = ("__pycache__",)
Around = Callable[[str], contextlib.AbstractContextManager[Any]]


class LoadError(WebuiError):
    """An extension cannot be used; the text is for the user."""


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension whose code runs in this process.

    Attributes:
        options: model of what a request may carry; None where it takes nothing.
        join: its `join_job`; None where it acts in no job.
        modules: those of its load; its code can import them as long as this lives.
        settings: model of its settings that last; None where it has none.
        tools: what it adds to lists of others, by kind and name.
        samplers: those that it brings, by name.
    """

    info: ExtensionInfo
    options: type[Options] | None
    actions: Mapping[str, Action]
    join: pluggy.HookImpl | None
    modules: ExtensionModules
    settings: type[Options] | None = None
    tools: Mapping[ToolKey, PictureTool] = field(default_factory=dict)
    samplers: Mapping[str, Sampler] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Loaded:
    """All folders, sorted: those that run, and what is known of every one."""

    extensions: Mapping[str, Extension]
    infos: tuple[ExtensionInfo, ...]


def folders(extensions_dir: Path) -> tuple[Path, ...]:
    """The folders that are extensions or should be one. A missing folder is an empty one."""
    try:
        found = [path for path in extensions_dir.iterdir() if path.is_dir()]
    except FileNotFoundError:
        return ()
    return tuple(sorted(path for path in found if path.name[0] not in "._" and path.name not in NOT_EXTENSIONS))


def load_all(
    extensions_dir: Path,
    disabled: Collection[str] = (),
    broken: Mapping[str, str] = MappingProxyType({}),
    around: Around = lambda folder: contextlib.nullcontext(),
    *,
    aside: Mapping[str, str] = MappingProxyType({}),
    calls: Calls | None = None,
) -> Loaded:
    """Load every extension that is not disabled.

    Args:
        disabled: names or folders that the user switched off.
        broken: folders that are left out, with the reason.
        around: entered while an extension's code is loaded (the crash guard's mark).
        aside: folders of extensions that were set aside, with the reason.
        calls: how code of extensions is called.
    """
    calls = calls or Calls()
    extensions: dict[str, Extension] = {}
    infos: list[ExtensionInfo] = []
    modules = ExtensionModules()
    trace: CodeTrace | None = None  # taken before the first, since it costs more than loading a small extension
    for folder in folders(extensions_dir):
        info = peek(folder, disabled)
        if info.state == "ok" and folder.name in broken:
            info = replace(info, state="failed", error=broken[folder.name])
        if info.state == "ok" and folder.name in aside:
            info = replace(info, state="aside", error=aside[folder.name])
        if info.state == "ok" and info.name in extensions:
            other = extensions[info.name].info.folder
            info = replace(info, state="failed", error=f"the folder {other} has an extension of the same name")
        if info.state == "ok":
            trace = trace or CodeTrace()
            with around(folder.name):
                found = load(folder, info, trace, modules, calls)
            if isinstance(found, Extension):
                extensions[info.name] = found
            info = found.info if isinstance(found, Extension) else found
        infos.append(info)
    return Loaded(MappingProxyType(extensions), tuple(infos))


def peek(folder: Path, disabled: Collection[str] = ()) -> ExtensionInfo:
    """What is known of an extension without running its code."""
    try:
        manifest = read_manifest(folder)
    except WebuiError as error:
        off = folder.name in disabled
        return ExtensionInfo(folder.name, folder.name, state="disabled" if off else "failed", error=str(error))
    info = ExtensionInfo(
        folder.name, manifest.name, manifest.version, manifest.description, manifest.needs, manifest.permissions,
        heading=manifest.title,
    )  # fmt: skip
    return replace(info, state="disabled") if {folder.name, manifest.name} & set(disabled) else info


def load(
    folder: Path, info: ExtensionInfo, trace: CodeTrace, modules: ExtensionModules, calls: Calls | None = None
) -> Extension | ExtensionInfo:
    """Run an extension's `plugin.py` and ask for its options and actions; the reason where that fails.

    Args:
        trace: taken before; what the code replaces in the program is put back and is a failure too.
        modules: where the modules of this load are found.
    """
    try:
        manifest = read_manifest(folder)
        _refuse_missing(manifest)
        _refuse_gradio(folder)
        with (calls or Calls()).inside(info.name, "import"):
            found = _run(folder, info, modules)
        _refuse_replacing(trace)
    except Exception as error:
        trace.undo()
        # whatever it does costs only itself; the user sees why
        return replace(info, state="failed", error=_reason(error), traceback=_trace(error))
    return found


def _run(folder: Path, info: ExtensionInfo, modules: ExtensionModules) -> Extension:
    """Run the code, and ask it what it is."""
    if not (folder / "plugin.py").is_file():
        raise LoadError(f"the folder {folder.name} has no plugin.py")
    manager = _checked(modules.plugin(folder), info.name)
    options = _options(manager)
    actions = _actions(manager, info.name)
    scripts = _scripts(manager)
    settings, frames, tools = settings_of(manager), frames_of(manager, folder), tools_of(manager)
    samplers = samplers_of(manager)
    dialect, notice = dialect_of(manager, options)
    join = next(iter(manager.hook.join_job.get_hookimpls()), None)
    schema, wrong = _drawn(options, actions) if options else (None, ())
    infos = []
    for one in actions.values():
        form, more = _drawn(one.options, actions)
        infos.append(ActionInfo(one.name, one.title, form, one.routes, one.light, one.gives_way))
        wrong += more
    kept, more = _drawn(settings, actions) if settings else (None, ())
    wrong += more
    notices = (notice, *(f"{info.name}: how a form is drawn is left out: {sentence}" for sentence in wrong))
    described = replace(
        info,
        options=schema,
        actions=tuple(infos),
        dialect=dialect,
        notice=". ".join(filter(None, notices)),
        scripts=tuple(map(info_of, scripts)),
        settings=kept,
        frames=frames,
        tools=(*tools, *((SAMPLER, name) for name in samplers)),
    )
    answering = {one.name: one for one in map(action_of, scripts)}
    all_actions = MappingProxyType({**actions, **answering})
    return Extension(described, options, all_actions, join, modules, settings, tools, samplers)


def _drawn(options: type[Options], actions: Collection[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    return with_checked_hints(schema_of(options), actions)


def installing(packages: Collection[str]) -> str:
    """The command that installs packages into this program's environment."""
    return " ".join([shlex.quote(sys.executable), "-m pip install", *(shlex.quote(package) for package in packages)])


def _refuse_replacing(trace: CodeTrace) -> None:
    names = [name for names in trace.undo().values() for name in names]
    if names:
        raise LoadError(f"replaced {', '.join(names)} when it was imported; an extension acts by its hooks alone")


def _refuse_missing(manifest: Manifest) -> None:
    missing = [need for need in manifest.needs if not _is_installed(need)]
    if missing:
        raise LoadError(f"needs {', '.join(missing)}, which is not installed; run: {installing(missing)}")


def _refuse_gradio(folder: Path) -> None:
    """Forms are drawn from the options alone; what an extension drew itself would break with the next gradio."""
    for path in sorted(folder.rglob("*.py")):
        if re.search(rb"^\s*(import|from)\s+gradio\b", path.read_bytes(), re.MULTILINE):
            raise LoadError(f"{path.name} imports gradio; declare options and actions instead, forms are drawn of them")


def _is_installed(requirement: str) -> bool:
    name = re.split(r"[ <>=!~]", requirement, maxsplit=1)[0]
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _checked(module: object, name: str) -> pluggy.PluginManager:
    """A manager that knows this module alone. Raises PluginValidationError for unknown hooks and arguments."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(AppSpec)
    manager.register(module, name=name)
    manager.check_pending()
    return manager


def _options(manager: pluggy.PluginManager) -> type[Options] | None:
    answers = manager.hook.request_options()
    if not answers:
        return None
    options = answers[0]
    if not (isinstance(options, type) and issubclass(options, Options)):
        raise LoadError(f"request_options returned {options!r}, expected a subclass of Options")
    return options


def _actions(manager: pluggy.PluginManager, name: str) -> Mapping[str, Action]:
    actions: dict[str, Action] = {}
    for action in next(iter(manager.hook.actions()), ()):
        if not isinstance(action, Action):
            raise LoadError(f"actions returned {type(action).__name__}, expected a list of Action")
        if not NAME.fullmatch(action.name) or action.name in actions:
            raise LoadError(f"actions: the name {action.name!r} is taken, or is not of a-z, 0-9 and _")
        if not (isinstance(action.options, type) and issubclass(action.options, Options)):
            raise LoadError(f"actions: options of {action.name!r} must be a subclass of Options")
        for route in action.routes:
            if not re.fullmatch(r"(GET|POST) /[A-Za-z0-9_./-]+", route):
                raise LoadError(f"actions: the route {route!r} of {action.name!r} should look like 'POST /{name}/do'")
        actions[action.name] = action
    return MappingProxyType(actions)


def _scripts(manager: pluggy.PluginManager) -> tuple[Script, ...]:
    found: dict[str, Script] = {}
    for script in next(iter(manager.hook.scripts()), ()):
        if fault := checked(found, script):
            raise LoadError(fault)
        found[script.name] = script
    return tuple(found.values())


def _reason(error: Exception) -> str:
    """One sentence for the user."""
    match error:
        case LoadError() | BroughtError():
            return str(error)
        case ExtensionError():
            return f"{error}, while it was loaded"
        case ModuleNotFoundError(name=str(name)) if not _is_own(name):
            return f"needs the package {name}, which is not installed; run: {installing([name.partition('.')[0]])}"
        case SyntaxError(filename=filename, lineno=line, msg=text):
            return f"has a syntax error in {Path(filename or 'plugin.py').name}, line {line}: {text}"
        case pluggy.PluginValidationError():
            return f"does not fit the hooks of this program: {error}"
    return f"raised {said(error)}"


def _is_own(module: str) -> bool:
    """Whether a module would be of the program or of an extension, so that no package brings it."""
    return module.partition(".")[0] == "webui" or is_of_extension(module)


def _trace(error: Exception) -> str:
    return "" if isinstance(error, LoadError | BroughtError) else "".join(traceback.format_exception(error))
