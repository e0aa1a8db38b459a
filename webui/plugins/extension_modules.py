"""Modules of extensions: each load has its own, below a package of its own, for as long as one of them lives."""

import importlib
import re
import sys
import weakref
from pathlib import Path
from types import ModuleType

PACKAGE = "webui_extensions"  # of the process's first load; the second one's is `webui_extensions_2`, and so on
_NAME = re.compile(rf"{PACKAGE}(?:_\d+)?(?:\.([^.]+).*)?", re.DOTALL)
_LOAD = "__load__"  # attribute of a load's package: a weak reference to the load
_DOT = "/"  # stands for a dot in the name of a folder, and in none itself


class ExtensionModules:
    """Where Python finds the modules of one load.

    An extension may import its neighbours late, so whoever keeps its code has to keep this. Where it is gone, the next
    load takes its modules out of `sys.modules`. (The search for garbage, which may come amid any work, must not: who
    goes through `sys.modules` just then would fail.) Its empty package stays, so that its name is never given again:
    code that outlived its load finds nothing then, and not the modules of another load, whose classes are others.
    """

    def __init__(self) -> None:
        earlier = [name for name in list(sys.modules) if "." not in name and is_of_extension(name)]
        _forget_below({package for package in earlier if not _lives(sys.modules.get(package))})
        self.package = f"{PACKAGE}_{len(earlier) + 1}" if earlier else PACKAGE
        sys.modules[self.package] = package_module = _package(self.package, [])
        setattr(package_module, _LOAD, weakref.ref(self))

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


def _lives(package: ModuleType | None) -> bool:
    """Whether somebody keeps the load that has this package."""
    load = getattr(package, _LOAD, None)
    return isinstance(load, weakref.ref) and load() is not None


def _forget_below(packages: set[str]) -> None:
    for name in list(sys.modules):
        package, dot, _ = name.partition(".")
        if dot and package in packages:
            sys.modules.pop(name, None)
