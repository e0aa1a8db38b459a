"""The scripts that there are: the program's own, and behind them those that extensions declare."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from webui.domain.extensions import ActionCall, ExtensionInfo, ScriptInfo
from webui.experiments.declared_script import declared_script
from webui.experiments.script import Script
from webui.experiments.script_list import SCRIPTS

AskWorker = Callable[[ActionCall], Mapping[str, Any]]


def scripts_of(infos: Iterable[ExtensionInfo], ask: AskWorker) -> tuple[Script, ...]:
    """Every script, each title once; `ask` does an action in the worker and gives its data."""
    found = {script.name: script for script in SCRIPTS}
    for info in infos:
        for script in info.scripts if info.state == "ok" else ():
            found.setdefault(script.title.lower(), declared_script(script, partial(_asked, ask, info, script)))
    return tuple(found.values())


def _asked(ask: AskWorker, info: ExtensionInfo, script: ScriptInfo, call: Mapping[str, Any]) -> Mapping[str, Any]:
    return ask(ActionCall(info.name, ScriptInfo.action_named(script.name), call, light=True))
