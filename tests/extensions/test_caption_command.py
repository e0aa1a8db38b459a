"""`python launch.py caption`: pictures of a folder described by a tiny tagger, with the settings of the extension."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from extensions.captions.options import CaptionSettings, DescribeOptions
from extensions.captions.tag_texts import tag_text
from extensions.captions.wd_tags import WdTagger
from tests.extensions.test_actions import HostingBack
from tests.extensions.test_captions import ROOT, SQUARE, TINY, sent
from webui.commands.cli import main
from webui.domain.settings import Settings
from webui.engine.engine import Engine
from webui.executors.inline import InlineExecutor
from webui.jobs.store import JobStore
from webui.library.library import ModelLibrary
from webui.plugins.catalog import Catalog
from webui.plugins.host import ExtensionHost
from webui.plugins.loader import load_all
from webui.plugins.models import LibraryModels
from webui.server import app
from webui.weights.families.registry import FAMILIES


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """One with a tagger."""
    shutil.copytree(TINY, tmp_path / "models" / "TaggerOnnx" / "tiny-tagger")
    shutil.copytree(ROOT / "extensions" / "captions", tmp_path / "e" / "captions")
    loaded = load_all(tmp_path / "e")
    library = ModelLibrary(tmp_path / "models", tmp_path / "cache", FAMILIES)
    back = HostingBack(ExtensionHost(loaded, LibraryModels(library), torch.device("cpu"), torch.float32))
    made = Engine(
        lambda on_event: InlineExecutor(back, on_event), library, JobStore(tmp_path / "jobs.sqlite3"),
        None,  # type: ignore[arg-type]
        data_dir=tmp_path, max_queue=8, extensions=Catalog(loaded.infos),
    )  # fmt: skip
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures, one of which has a caption."""
    place = tmp_path / "pictures"
    place.mkdir()
    for name in ("1.png", "2.png"):
        SQUARE.save(place / name)
    (place / "1.txt").write_text("mine\n")
    return place


def captioned(engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *words: str) -> int:
    @contextmanager
    def engine_of(settings: Settings) -> Iterator[Engine]:
        yield engine

    monkeypatch.setattr(app, "engine_of", engine_of)
    return main(["caption", *words, "--data-dir", str(tmp_path / "data"), "--model", "tiny-tagger"])


def test_a_folder_is_described_beside_its_pictures(
    engine: Engine, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = WdTagger(TINY / "model.onnx")(SQUARE).tags
    words = tag_text(found, threshold=0.2, alphabetical=False)
    told = ("--option", "threshold=0.2", "--before", "ohwx")
    assert captioned(engine, monkeypatch, tmp_path, str(folder), "--write", *told) == 0
    assert capsys.readouterr().out == f"{folder / '2.txt'}\n"
    assert (folder / "1.txt").read_text() == "mine\n"
    assert (folder / "2.txt").read_text() == f"ohwx, {words}\n"
    assert captioned(engine, monkeypatch, tmp_path, str(folder / "1.png"), "--write", "--overwrite", *told) == 0
    assert (folder / "1.txt").read_text() == f"ohwx, {words}\n"
    assert captioned(engine, monkeypatch, tmp_path, str(folder / "1.png")) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"{folder / '1.png'}: ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--option", "threshold"), "write a name and a value"),
        (("--overwrite",), "goes with --write"),
        (("none.png",), "there is no none.png"),
    ],
)
def test_what_cannot_be_described_is_said(
    engine: Engine, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...], said: str,
) -> None:  # fmt: skip
    assert captioned(engine, monkeypatch, tmp_path, str(folder), *words) == 1
    assert said in capsys.readouterr().err


def test_a_file_that_is_no_picture_costs_itself(
    engine: Engine, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "1.png").write_bytes(b"no")
    assert captioned(engine, monkeypatch, tmp_path, str(folder)) == 1
    told = capsys.readouterr()
    assert f"{folder / '1.png'}: " in told.err
    assert told.out.startswith(f"{folder / '2.png'}: ")


def test_what_is_not_asked_for_is_as_the_settings_say() -> None:
    settings = CaptionSettings(threshold=0.8, spaces=False)
    asked = DescribeOptions.model_validate({"image": sent(), "threshold": 0.1}).completed(settings)
    assert (asked.threshold, asked.spaces, asked.escape) == (0.1, False, True)
