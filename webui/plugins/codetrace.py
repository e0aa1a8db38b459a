"""Finding and undoing what an extension replaced or removed in code that is not its own (monkey patches). No torch."""

import builtins
import sys
from collections.abc import Callable, Iterable, Iterator
from operator import is_, itemgetter
from types import FunctionType, MemberDescriptorType, ModuleType
from typing import Any

from webui.plugins.extension_modules import folder_of, is_of_extension

_OWN = "webui"
_LIBRARIES = frozenset(
    {"PIL", "diffusers", "fastapi", "gradio", "jsonschema", "numpy", "pluggy", "psutil", "pydantic", "pydantic_core"}
    | {"safetensors", "starlette", "tokenizers", "torch", "transformers", "yaml"}
)
# Modules whose functions other code exchanges by design, for a while or for good.
_EXCHANGED = frozenset({"warnings", "sys", "threading", "linecache", "_pytest", "__main__", "__mp_main__"})
_CLASSES = (  # of libraries, whose methods are watched too
    ("torch", "Tensor"),
    ("PIL.Image", "Image"),
    ("torch.nn", "Module"),
    ("torch.nn", "Linear"),
    ("torch.nn", "Conv2d"),
    ("torch.nn", "GroupNorm"),
    ("torch.nn", "LayerNorm"),
    ("torch.nn", "Embedding"),
)
_METHODS = (FunctionType, staticmethod, classmethod, property, MemberDescriptorType)
_GONE: Any = object()


class CodeTrace:
    """Functions, classes and methods of this program, the standard library and the libraries it runs on, as they are.

    Looks at identities only. What libraries change in themselves and in others, as parts of them are loaded, is left
    alone: what stands in a place now was then defined in a module that was loaded since, or in the same library.
    """

    def __init__(self) -> None:
        self._builtins = tuple(vars(builtins).items())
        self._modules = dict(_modules())
        self._kept = tuple(kept for owner in _owners(self._modules.values()) if (kept := _kept(owner))[1])

    def undo(self) -> dict[str, list[str]]:
        """Put back what was replaced or removed; names by the folder of the extension whose code it was replaced by.

        Where that cannot be seen from what stands there now, the folder is "".
        """
        replaced: dict[str, list[str]] = {}
        there, put = vars(builtins).get, vars(builtins).__setitem__
        for name, before in self._builtins:  # first and by no function, since any may have been replaced
            now = there(name, _GONE)
            if now is not before and name != "_":
                put(name, before)
                replaced.setdefault(_home(now), []).append(f"builtins.{name}")
        for name, module in self._modules.items():
            now = sys.modules.get(name)
            if now is not module and not _is_reload(now, name):
                sys.modules[name] = module
                replaced.setdefault(_home(now), []).append(f"the module {name}")
        for owner, names, values, take in self._kept:
            try:
                is_as_before = all(map(is_, take(vars(owner)), values))
            except KeyError:  # something was removed
                is_as_before = False
            if not is_as_before:
                self._undo_in(owner, names, values, replaced)
        return replaced

    def _undo_in(
        self, owner: Any, names: tuple[str, ...], values: tuple[Any, ...], replaced: dict[str, list[str]]
    ) -> None:
        for name, before in zip(names, values, strict=True):
            now = vars(owner).get(name)
            if now is before or self._is_a_librarys(now, owner):
                continue
            if before is None:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
            told = f"{getattr(owner, '__qualname__', owner.__name__)}.{name}"
            replaced.setdefault(_home(now), []).append(told)

    def _is_a_librarys(self, value: Any, owner: Any) -> bool:
        """Whether a library put this in the owner's place by itself."""
        place, home = _root(owner), _root(value)
        if not home or home == _OWN or is_of_extension(home):
            return False
        return (home == place and place != _OWN) or str(getattr(_inner(value), "__module__", "")) not in self._modules


def _kept(owner: Any) -> tuple[Any, tuple[str, ...], tuple[Any, ...], Callable[[Any], tuple[Any, ...]]]:
    """An owner, the names that are watched in it, what stands there (None where it is inherited), and a function that
    takes what stands there from its attributes, and raises KeyError where a name is missing.
    """
    there = vars(owner).copy()  # other threads may import
    if not isinstance(owner, ModuleType):
        names = tuple(_methods(owner))
        return owner, names, tuple(map(there.get, names)), lambda there: tuple(map(there.get, names))
    # What begins with two underscores belongs to the import system.
    names = tuple([name for name, value in there.items() if callable(value) and name[:2] != "__"])
    take = itemgetter(*names) if len(names) > 1 else lambda there: tuple(there[name] for name in names)
    return owner, names, take(there), take


def _modules() -> Iterator[tuple[str, ModuleType]]:
    for name, module in list(sys.modules.items()):
        root = name.partition(".")[0]
        watched = root in (_OWN, *_LIBRARIES) or root in sys.stdlib_module_names
        if watched and root not in _EXCHANGED and isinstance(module, ModuleType):
            yield name, module


def _owners(modules: Iterable[ModuleType]) -> Iterator[Any]:
    """Each module and each class whose attributes are watched, once."""
    seen: set[int] = set()
    for module in modules:
        if id(module) not in seen and module is not builtins:
            seen.add(id(module))
            yield module
        if str(vars(module).get("__name__")).partition(".")[0] == _OWN:
            for value in list(vars(module).values()):
                if isinstance(value, type) and value.__module__ == module.__name__ and id(value) not in seen:
                    seen.add(id(value))
                    yield value
    for place, name in _CLASSES:
        kind = vars(sys.modules[place]).get(name) if place in sys.modules else None
        if isinstance(kind, type) and id(kind) not in seen:
            seen.add(id(kind))
            yield kind


def _methods(kind: type) -> Iterator[str]:
    if _root(kind) != _OWN:
        yield from (name for name in dir(kind) if name not in vars(kind) and callable(getattr(kind, name)))
    for name, value in list(vars(kind).items()):
        if isinstance(value, _METHODS) and name not in ("__signature__", "__annotations__", "__weakref__", "__dict__"):
            yield name


def _is_reload(now: object, name: str) -> bool:
    """Whether a module was made anew by the import system, as tests do."""
    return isinstance(now, ModuleType) and now.__spec__ is not None and now.__spec__.name == name


def _inner(value: Any) -> Any:
    return getattr(value, "__func__", getattr(value, "fget", value))


def _root(value: Any) -> str:
    """The top package in which a module, a class or a function was defined; "" where that cannot be seen."""
    inner = _inner(value)
    name = inner.__name__ if isinstance(inner, ModuleType) else getattr(inner, "__module__", "")
    return name.partition(".")[0] if isinstance(name, str) else ""


def _home(value: Any) -> str:
    """The folder of the extension in which a value was defined; "" for none."""
    module = getattr(_inner(value), "__module__", "")
    return folder_of(module) if isinstance(module, str) else ""
