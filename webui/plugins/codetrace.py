"""Finding and undoing what an extension replaced or removed in code that is not its own (monkey patches). No torch."""

import builtins
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from operator import call, is_, itemgetter
from types import FunctionType, MemberDescriptorType, ModuleType
from typing import Any

PACKAGE = "webui_extensions"  # extensions are imported below this name
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
_OF_CLASSES = ("__signature__", "__annotations__", "__weakref__", "__dict__")
_GONE: Any = object()


class CodeTrace:
    """Functions, classes and methods of this program, the standard library and the libraries it runs on, as they are.

    Looks at identities only. What libraries change in themselves and in others, as parts of them are loaded, is left
    alone: what stands in a place now was then defined in a module that was loaded since, or in the same library.
    """

    def __init__(self) -> None:
        self._builtins = tuple(vars(builtins).items())
        self._modules = dict(_modules())
        self._kept = [_Kept.of(owner) for owner in _owners(self._modules.values())]
        self._inheriting = [kept for kept in self._kept if kept.inherited]
        self._line_up()

    def _line_up(self) -> None:
        """All that is watched in rows, so that a look at tens of thousands of names takes no step of Python's each."""
        offering = [kept for kept in self._kept if kept.names]
        self._look_ups = [kept.look_up for kept in offering if kept.look_up is not None]
        self._places = [vars(kept.owner) for kept in offering]
        self._values = list(chain.from_iterable(kept.values for kept in offering))

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
        if not self._is_as_before():
            self._undo_in_owners(replaced)
        return replaced

    def _is_as_before(self) -> bool:
        """Whether everything stands in its place."""
        try:
            now = chain.from_iterable(map(call, self._look_ups, self._places))
            return all(map(is_, now, self._values)) and not any(kept.has_gained() for kept in self._inheriting)
        except KeyError:  # something was removed
            return False

    def _undo_in_owners(self, replaced: dict[str, list[str]]) -> None:
        """Put back what was replaced; what libraries changed by themselves counts as theirs from now on."""
        for place, kept in enumerate(self._kept):
            if not kept.is_as_before():
                self._undo_in(kept, replaced)
                self._kept[place] = kept.renewed()
        self._line_up()

    def _undo_in(self, kept: "_Kept", replaced: dict[str, list[str]]) -> None:
        owner = kept.owner
        inherited = ((name, _GONE) for name in kept.inherited)
        for name, before in chain(zip(kept.names, kept.values, strict=True), inherited):
            now = vars(owner).get(name, _GONE)
            if now is before or (now is not _GONE and self._is_a_librarys(now, owner)):
                continue
            if before is _GONE:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
            told = f"{getattr(owner, '__qualname__', owner.__name__)}.{name}"
            replaced.setdefault(_home(now), []).append(told)

    def _is_a_librarys(self, value: Any, owner: Any) -> bool:
        """Whether a library put this in the owner's place by itself."""
        place, home = _root(owner), _root(value)
        if not home or home in (PACKAGE, _OWN):
            return False
        return (home == place and place != _OWN) or str(getattr(_inner(value), "__module__", "")) not in self._modules


@dataclass(frozen=True, slots=True)
class _Kept:
    """An owner and what it offers: the names that stand in it, what stands there, and the names that it inherits.

    All names of an owner are looked up at once, since there are tens of thousands in all. The first one is in `names`
    twice, because the answer to a single one would be no tuple.
    """

    owner: Any
    names: tuple[str, ...]
    values: tuple[Any, ...]
    inherited: tuple[str, ...]
    look_up: "itemgetter[Any] | None"

    @classmethod
    def of(cls, owner: Any) -> "_Kept":
        inherited: tuple[str, ...] = ()
        names = _functions(owner) if isinstance(owner, ModuleType) else _methods(owner)
        if not isinstance(owner, ModuleType) and _root(owner) != _OWN:
            there = vars(owner)
            inherited = tuple(name for name in dir(owner) if name not in there and callable(getattr(owner, name)))
        return cls._made(owner, names, inherited)

    @classmethod
    def _made(cls, owner: Any, names: tuple[str, ...], inherited: tuple[str, ...]) -> "_Kept":
        names = (*names[:1], *names)
        look_up = itemgetter(*names) if names else None
        return cls(owner, names, tuple(map(vars(owner).get, names)), inherited, look_up)

    def renewed(self) -> "_Kept":
        """The same names, as far as they are still there, with what stands there now."""
        there = vars(self.owner)
        inherited = tuple(name for name in self.inherited if name not in there)
        return self._made(self.owner, tuple(name for name in self.names[1:] if name in there), inherited)

    def has_gained(self) -> bool:
        """Whether something stands where it inherited something."""
        return not vars(self.owner).keys().isdisjoint(self.inherited)

    def is_as_before(self) -> bool:
        there = vars(self.owner)
        return not self.has_gained() and all(map(is_, (there.get(name, _GONE) for name in self.names), self.values))


def _modules() -> Iterator[tuple[str, ModuleType]]:
    for name, module in list(sys.modules.items()):
        root = name.partition(".")[0]
        watched = root == _OWN or root in _LIBRARIES or root in sys.stdlib_module_names
        if watched and root not in _EXCHANGED and isinstance(module, ModuleType):
            yield name, module


def _owners(modules: Iterable[ModuleType]) -> Iterator[Any]:
    """Each module and each class whose attributes are watched, once."""
    seen: set[int] = set()
    for module in modules:
        if id(module) not in seen and module is not builtins:
            seen.add(id(module))
            yield module
        if _root(module) == _OWN:
            for value in list(vars(module).values()):
                if isinstance(value, type) and value.__module__ == module.__name__ and id(value) not in seen:
                    seen.add(id(value))
                    yield value
    for place, name in _CLASSES:
        kind = vars(sys.modules[place]).get(name) if place in sys.modules else None
        if isinstance(kind, type) and id(kind) not in seen:
            seen.add(id(kind))
            yield kind


def _functions(module: ModuleType) -> tuple[str, ...]:
    """What a module offers; what begins with two underscores belongs to the import system."""
    return tuple([name for name, value in list(vars(module).items()) if callable(value) and name[:2] != "__"])


def _methods(kind: type) -> tuple[str, ...]:
    """What stands in the class itself."""
    methods = [name for name, value in list(vars(kind).items()) if isinstance(value, _METHODS)]
    return tuple(name for name in methods if name not in _OF_CLASSES)


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
    """The folder (as a part of a module's name) of the extension in which a value was defined; "" for none."""
    module = getattr(_inner(value), "__module__", "")
    return module.split(".")[1] if isinstance(module, str) and module.startswith(f"{PACKAGE}.") else ""
