"""styles.csv changed by the program: what others wrote into it stays, and writes that race lose nothing."""

import csv
import io
import os
import threading
from pathlib import Path

import pytest

from webui.domain.errors import BadRequestError, UnusableFileError, WebuiError
from webui.prompt.style_file import StyleFile
from webui.prompt.styles import Style


def file_with(folder: Path, text: str = "") -> StyleFile:
    path = folder / "styles.csv"
    if text:
        path.write_text(text, encoding="utf-8-sig")
    return StyleFile(path)


def rows(folder: Path) -> list[list[str]]:
    return [*csv.reader(io.StringIO((folder / "styles.csv").read_text(encoding="utf-8-sig"), newline=""))]


def test_a_style_is_saved_changed_and_deleted(tmp_path: Path) -> None:
    styles = file_with(tmp_path)
    assert styles.names() == ()
    style = Style("ink", 'ink, "fine" {prompt},\nsecond line', "blurry, é")
    styles.save(style)
    styles.save(Style("oil", "oil"))
    assert styles.read() == {"ink": style, "oil": Style("oil", "oil")}
    assert (tmp_path / "styles.csv").read_bytes().startswith(b"\xef\xbb\xbfname,prompt,negative_prompt")
    styles.save(Style("ink", "pen"))
    assert [*styles.read().values()] == [Style("ink", "pen"), Style("oil", "oil")]
    assert styles.delete("ink")
    assert not styles.delete("ink")
    assert styles.names() == ("oil",)
    assert StyleFile(tmp_path / "styles.csv.bak").names() == ("ink", "oil")


def test_columns_and_rows_that_are_not_ours_stay(tmp_path: Path) -> None:
    text = "tag,name,prompt,negative_prompt\nfav,ink,a,b\n,#later,c,d\nx,oil,e,f,beyond\n"
    styles = file_with(tmp_path, text)
    styles.save(Style("ink", "new"))
    styles.save(Style("pen", "p"))
    assert rows(tmp_path) == [
        ["tag", "name", "prompt", "negative_prompt"],
        ["fav", "ink", "new", ""],
        ["", "#later", "c", "d"],
        ["x", "oil", "e", "f", "beyond"],
        ["", "pen", "p", ""],
    ]
    styles.delete("ink")
    assert rows(tmp_path)[1] == ["", "#later", "c", "d"]


@pytest.mark.parametrize("header", ["name,text", "name,text,prompt", "text,name"])
def test_files_of_the_first_versions_are_changed_in_their_own_columns(tmp_path: Path, header: str) -> None:
    cells = {"name": "ink", "text": "old", "prompt": ""}
    styles = file_with(tmp_path, f"{header}\n{','.join(cells[name] for name in header.split(','))}\n")
    assert styles.read()["ink"].prompt == "old"
    for style in (Style("ink", "new", "no"), Style("ink", "", "no")):
        styles.save(style)
        assert styles.read() == {"ink": style}
    assert rows(tmp_path)[0] == [*header.split(","), "negative_prompt"]


def test_a_name_that_stands_twice_is_one_style(tmp_path: Path) -> None:
    styles = file_with(tmp_path, "name,prompt\nink,a\nink,b\n")
    styles.save(Style("ink", "c"))
    assert styles.read()["ink"].prompt == "c"
    styles.delete("ink")
    assert styles.names() == ()


def test_writes_that_race_lose_nothing(tmp_path: Path) -> None:
    styles = file_with(tmp_path)
    start = threading.Barrier(8)

    def save(worker: int) -> None:
        start.wait()
        for number in range(10):
            styles.save(Style(f"{worker}-{number}", "x"))

    threads = [threading.Thread(target=save, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(styles.names()) == 80


@pytest.mark.parametrize(
    ("style", "field"),
    [(Style(""), "name"), (Style(" ink"), "name"), (Style("#ink"), "name"), (Style("a\nb"), "name"),
     (Style("a", "x" * 32_001), "prompt"), (Style("a", "", "\0"), "negative_prompt")],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused(tmp_path: Path, style: Style, field: str) -> None:
    with pytest.raises(BadRequestError, match=f"^{field}: "):
        file_with(tmp_path).save(style)
    assert not (tmp_path / "styles.csv").exists()


def test_a_damaged_file_is_left_alone(tmp_path: Path) -> None:
    styles = file_with(tmp_path, "one,two\n1,2\n")
    before = (tmp_path / "styles.csv").read_bytes()
    assert styles.names() == ()
    with pytest.raises(UnusableFileError, match="must name the columns"):
        styles.save(Style("ink"))
    assert (tmp_path / "styles.csv").read_bytes() == before


def test_a_write_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    styles = file_with(tmp_path, "name,prompt\nink,a\n")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(WebuiError, match="No space left on device; nothing was changed"):
        styles.save(Style("oil", "o"))
    monkeypatch.undo()
    assert styles.names() == ("ink",)
    assert [path.name for path in tmp_path.iterdir()] == ["styles.csv"]
