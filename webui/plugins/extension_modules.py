"""Modules of extensions: each load has its own, below a package of its own, for as long as one of them lives."""

import importlib
import itertools
import re
import sys
import weakref
from pathlib import Path
from types import ModuleType

PACKAGE = "webui_extensions"  # of the process's first load; the second one's is `webui_extensions_2`, and so on
_NAME = re.compile(rf"{PACKAGE}(?:_\d+)?(?:\.([^.]+).*)?", re.DOTALL)
_DOT = "/"  # stands for a dot in the name of a folder, and in none itself

_loads = itertools.count(1)
_made: dict[str, "weakref.ref[ExtensionModules]"] = {}  # by package; of each load whose modules are known to Python


class ExtensionModules:
    """Where Python finds the modules of one load.

    An extension may import its neighbours late, so whoever keeps its code has to keep this. Where it is gone, the next
    load takes its modules out of `sys.modules`. (The search for garbage, which may come amid any work, must not: who
    goes through `sys.modules` just then would fail.) The number of a load is never given again: code that outlived its
    load finds nothing then, and not the modules of another load, whose classes are others.
    """

    def __init__(self) -> None:
        for package, made in list(_made.items()):
            if made() is None:
                _forget(package)
        number = next(_loads)
        self.package = PACKAGE if number == 1 else f"{PACKAGE}_{number}"
        sys.modules[self.package] = _package(self.package, [])
        _made[self.package] = weakref.ref(self)

    def name_of(self, folder: str, module: str) -> str:
        """The name by which a module of the extension in a folder is imported."""
        return f"{self.package}.{folder.replace('.', _DOT)}.{module}"

    def plugin(self, folder: Path) -> ModuleType:
        """Import `plugin.py` of a folder, its neighbours being importable relatively."""
        name = self.name_of(folder.name, "plugin")
        package = name.rpartition(".")[0]
        sys.modules[package] = _package(package, [str(folder.resolve())])
        importlib.invalidate_caches()
        return importlib.import_module(name)


def is_of_extension(module: str) -> bool:
    """Whether a module's name is that of a module of an extension, or of a package in which they are."""
    return _NAME.fullmatch(module) is not None


def folder_of(module: str) -> str:
    """The name of the folder of the extension to which a module belongs, by the module's name; "" for none."""
    found = _NAME.fullmatch(module)
    return (found[1] or "").replace(_DOT, ".") if found else ""


def _package(name: str, path: list[str]) -> ModuleType:
    module = ModuleType(name)
    module.__path__ = path
    module.__package__ = name
    return module


def _forget(package: str) -> None:
    for name in list(sys.modules):
        if name == package or name.startswith(f"{package}."):
            sys.modules.pop(name, None)
    _made.pop(package, None)
