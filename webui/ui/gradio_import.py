"""Gradio's import, without the stub files that it writes beside its own modules for editors: with each import it parses
its components to see whether their stubs are as they should be, a sixth of what the front does until it answers.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any

WRITES_STUBS = "gradio.component_meta"


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        if hasattr(module, "create_or_modify_pyi"):
            module.create_or_modify_pyi = _write_nothing  # type: ignore[attr-defined]


def _write_nothing(component_class: type, class_name: str, events: Sequence[Any]) -> None:
    """In the place of `create_or_modify_pyi`, which is called once for each class of components."""


class WithoutStubs(MetaPathFinder):
    """Finds the module that writes stubs, and has it write none."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != WRITES_STUBS:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


def without_stubs() -> None:
    """Have Gradio write no stubs where it is imported from now on."""
    if not any(isinstance(finder, WithoutStubs) for finder in sys.meta_path):
        sys.meta_path.insert(0, WithoutStubs())
