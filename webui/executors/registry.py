"""The executors that the setting `executor` may name, a row each. Importing this loads no torch."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from webui.domain.devices import devices_of, is_several
from webui.domain.errors import WebuiError
from webui.domain.settings import BackSettings
from webui.executors.inline import InlineExecutor
from webui.executors.local import LocalExecutor
from webui.executors.pool import PoolExecutor, devices_here
from webui.executors.protocol import Executor, OnEvent
from webui.executors.ray_hosts import RayHostsExecutor
from webui.executors.running import FACTORY
from webui.executors.wire import resolve

ExecutorFactory = Callable[[BackSettings, OnEvent], Executor]


def _local(settings: BackSettings, on_event: OnEvent) -> Executor:
    if is_several(devices_of(settings.device)):
        return PoolExecutor(settings, on_event, devices_here)
    return LocalExecutor(settings, on_event)


def _inline(settings: BackSettings, on_event: OnEvent) -> InlineExecutor:
    build = resolve(FACTORY)  # which loads torch into this process
    return InlineExecutor(build(settings), on_event, rebuild=build)


EXECUTORS: Mapping[str, ExecutorFactory] = MappingProxyType(
    {
        # In a process of its own on this machine, or one for each device that the setting `device` names.
        "local": _local,
        # In this process and in the thread of the caller, for debuggers; a server answers nobody meanwhile.
        "inline": _inline,
        # On the graphics cards of several hosts; needs the package ray.
        "ray": RayHostsExecutor,
    }
)


IN_THE_CALLER = frozenset({"inline"})  # whose jobs have ended when `submit` returns


def executor_named(name: str) -> ExecutorFactory:
    """What makes the executor of that name, given the settings of its back and the function that hears its events.

    Raises:
        WebuiError: there is none of that name.
    """
    if name not in EXECUTORS:
        raise WebuiError(f"setting executor: there is no {name!r}; choose one of: {', '.join(EXECUTORS)}")
    return EXECUTORS[name]
