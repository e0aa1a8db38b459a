"""Patches on a model: entered in order, left in reverse, some of them kept applied from one job to the next."""

from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch

UNKEYED = object()  # the key of a patch that may not stay


@dataclass(frozen=True, slots=True)
class Patch:
    """What an extension's `patch_model` returned."""

    extension: str
    context: AbstractContextManager[Any]

    @property
    def key(self) -> Hashable:
        key: Hashable = getattr(self.context, "key", None)
        return UNKEYED if key is None else key

    @property
    def may_stay(self) -> bool:
        return self.key is not UNKEYED

    def equals(self, other: "Patch") -> bool:
        """Whether one may stand for the other."""
        return self.may_stay and other.may_stay and (self.extension, self.key) == (other.extension, other.key)


class PatchError(Exception):
    """Patches that could not be undone: (extension, why) each."""

    def __init__(self, failures: list[tuple[str, Exception]]) -> None:
        self.failures = failures
        super().__init__("; ".join(f"{name}: {type(error).__name__}: {error}" for name, error in failures))


class Patches:
    """The stack of patches on one model.

    A patch may rest on those below it, so only a beginning of the stack whose extensions and keys are the same again
    stays; whatever lies above is left first.

    Attributes:
        changes: how often a patch was entered or left, so that others can tell whether the model is as they knew it.
    """

    def __init__(self) -> None:
        self.changes = 0
        self._entered: list[Patch] = []

    @property
    def applied(self) -> tuple[str, ...]:
        """The extensions whose patches are on the model."""
        return tuple(patch.extension for patch in self._entered)

    def begins_like(self, wanted: Sequence[Patch]) -> bool:
        """Whether any of what is applied could stay."""
        return bool(self._entered and wanted and wanted[0].equals(self._entered[0]))

    def apply(self, wanted: Sequence[Patch], failed: Callable[[Patch, Exception], None]) -> None:
        """Make exactly these patches be on the model.

        Args:
            failed: told of a patch that could not be entered; raises. All are left before.
        """
        same = 0
        while same < min(len(wanted), len(self._entered)) and wanted[same].equals(self._entered[same]):
            same += 1
        self._leave_down_to(same)
        for patch in wanted[same:]:
            self.changes += 1
            try:
                patch.context.__enter__()
            except Exception as error:
                self.leave()
                failed(patch, error)
                return
            self._entered.append(patch)

    def leave_unkeyed(self) -> None:
        """After a job that went well: keep what may stay. Raises PatchError."""
        stay = 0
        while stay < len(self._entered) and self._entered[stay].may_stay:
            stay += 1
        self._leave_down_to(stay)

    def leave(self) -> None:
        """Undo everything.

        Raises:
            PatchError: one or more could not be undone; the others are. The model must not be used any more.
        """
        self._leave_down_to(0)

    def _leave_down_to(self, count: int) -> None:
        errors: list[tuple[str, Exception]] = []
        with torch.inference_mode():  # weights that were loaded in this mode can be written in no other
            while len(self._entered) > count:
                patch = self._entered.pop()
                self.changes += 1
                try:
                    patch.context.__exit__(None, None, None)
                except Exception as error:
                    errors.append((patch.extension, error))
        if errors:
            raise PatchError(errors)
