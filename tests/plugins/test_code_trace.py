"""The look for replaced code: what an extension exchanges is put back, what a library exchanges is left alone."""

import pytest
import torch

from webui.plugins.codetrace import CodeTrace
from webui.plugins.extension_modules import ExtensionModules


def stand_in(*given: object) -> None:
    """Defined by turns in a library that was loaded later, and in an extension."""


def test_what_a_library_exchanges_for_a_while_is_nobodys_replacement(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.nn.functional.relu
    trace = CodeTrace()
    monkeypatch.setattr(stand_in, "__module__", "a_library_loaded_later.parts")
    monkeypatch.setattr(torch.nn.functional, "relu", stand_in)
    assert trace.undo() == {}
    assert vars(torch.nn.functional)["relu"] is stand_in
    monkeypatch.setattr(torch.nn.functional, "relu", before)
    assert trace.undo() == {}
    assert torch.nn.functional.relu is before


@pytest.mark.parametrize("folder", ["bad", "so bad-1.0"])
@pytest.mark.parametrize("package", ["webui_extensions", "webui_extensions_2"])
def test_what_an_extension_exchanges_is_put_back_and_told_once(
    monkeypatch: pytest.MonkeyPatch, package: str, folder: str
) -> None:
    before = torch.nn.functional.relu
    trace, modules = CodeTrace(), ExtensionModules()
    modules.package = package  # that of a process's first and second load
    monkeypatch.setattr(stand_in, "__module__", modules.name_of(folder, "plugin"))
    monkeypatch.setattr(torch.nn.functional, "relu", stand_in)
    assert trace.undo() == {folder: ["torch.nn.functional.relu"]}
    assert torch.nn.functional.relu is before
    assert trace.undo() == {}
