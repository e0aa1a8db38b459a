"""Finding and undoing what an extension replaced in the program itself (monkey patches). Needs no torch."""

import sys
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

PACKAGE = "webui_extensions"  # extensions are imported below this name
_LIBRARIES = ("torch", "torch.nn", "torch.nn.functional", "PIL.Image")
_LAYERS = ("Module", "Linear", "Conv2d", "GroupNorm", "LayerNorm", "Embedding")


class CodeTrace:
    """Functions, classes and methods of this program and the ones of torch that everybody uses, as they are now.

    Looks at identities only: making one takes some 20 ms, looking again less than one.
    """

    def __init__(self) -> None:
        self._kept = tuple(_watched())

    def undo(self) -> dict[str, list[str]]:
        """Put back what was replaced by something defined in an extension; names by the extension's folder.

        What libraries change in themselves, as parts of them are loaded, is left alone.
        """
        replaced: dict[str, list[str]] = {}
        for owner, name, before in self._kept:
            now = vars(owner).get(name)
            if now is not before and (folder := _home(now)):
                setattr(owner, name, before)
                replaced.setdefault(folder, []).append(f"{getattr(owner, '__qualname__', owner.__name__)}.{name}")
        return replaced


def _home(value: Any) -> str:
    """The folder (as a part of a module's name) of the extension in which a value was defined; "" for none."""
    inner = getattr(value, "__func__", getattr(value, "fget", value))
    module = str(getattr(inner, "__module__", ""))
    return module.split(".")[1] if module.startswith(f"{PACKAGE}.") else ""


def _watched() -> Iterator[tuple[Any, str, Any]]:
    for module in list(sys.modules.values()):
        name = str(getattr(module, "__name__", ""))
        own = name == "webui" or name.startswith("webui.")
        if not isinstance(module, ModuleType) or not (own or name in _LIBRARIES):
            continue
        for attribute, value in list(vars(module).items()):
            if callable(value):
                yield module, attribute, value
            if isinstance(value, type) and own and value.__module__ == name:
                yield from _methods(value)
    layers = sys.modules.get("torch.nn")
    for kind in _LAYERS if layers is not None else ():
        yield from _methods(getattr(layers, kind))


def _methods(kind: type) -> Iterator[tuple[Any, str, Any]]:
    for name, value in list(vars(kind).items()):
        if isinstance(value, FunctionType | staticmethod | classmethod | property):
            yield kind, name, value
