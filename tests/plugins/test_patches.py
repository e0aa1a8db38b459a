"""Patches: entered in order, left in reverse, kept where their key stays equal."""

import pytest

from webui.plugins.patches import Patch, PatchError, Patches


class Noted:
    """Writes down when it is entered and left."""

    def __init__(self, log: list[str], name: str, key: object = None, *, breaks: bool = False, sticks: bool = False):
        self.key, self._log, self._name, self._breaks, self._sticks = key, log, name, breaks, sticks

    def __enter__(self) -> None:
        if self._breaks:
            raise RuntimeError("no weights")
        self._log.append(f"+{self._name}")

    def __exit__(self, *error: object) -> None:
        self._log.append(f"-{self._name}")
        if self._sticks:
            raise RuntimeError("stuck")


def refuse(patch: Patch, error: Exception) -> None:
    raise RuntimeError(f"{patch.extension}: {error}")


def test_an_equal_key_stays_applied_and_another_is_exchanged() -> None:
    log: list[str] = []
    patches = Patches()
    changes = []
    for key in (1, 1, 2):
        patches.apply([Patch("lora", Noted(log, f"lora{key}", key))], refuse)
        patches.leave_unkeyed()
        changes.append(patches.changes)
    patches.leave()
    assert changes == [1, 1, 3]  # nothing changes where the key is the same
    assert patches.changes == 4
    assert log == ["+lora1", "-lora1", "+lora2", "-lora2"]


def test_what_rests_on_a_changed_patch_is_left_first() -> None:
    log: list[str] = []
    patches = Patches()
    for key in (1, 2):
        wanted = [Patch("a", Noted(log, f"a{key}", key)), Patch("b", Noted(log, "b", "same"))]
        patches.apply(wanted, refuse)
    assert log == ["+a1", "+b", "-b", "-a1", "+a2", "+b"]
    assert patches.applied == ("a", "b")


def test_a_patch_without_a_key_ends_with_its_job() -> None:
    log: list[str] = []
    patches = Patches()
    wanted = [Patch("a", Noted(log, "a", 1)), Patch("b", Noted(log, "b")), Patch("c", Noted(log, "c", 2))]
    patches.apply(wanted, refuse)
    patches.leave_unkeyed()
    assert log == ["+a", "+b", "+c", "-c", "-b"]
    patches.apply([], refuse)
    assert log[-1] == "-a"


def test_a_patch_that_fails_undoes_those_before_it() -> None:
    log: list[str] = []
    with pytest.raises(RuntimeError, match="b: no weights"):
        Patches().apply([Patch("a", Noted(log, "a", 1)), Patch("b", Noted(log, "b", breaks=True))], refuse)
    assert log == ["+a", "-a"]


def test_one_that_cannot_be_left_does_not_keep_the_others() -> None:
    log: list[str] = []
    patches = Patches()
    patches.apply([Patch("a", Noted(log, "a")), Patch("b", Noted(log, "b", sticks=True))], refuse)
    with pytest.raises(PatchError, match="b: RuntimeError: stuck"):
        patches.leave()
    assert log == ["+a", "+b", "-b", "-a"]
