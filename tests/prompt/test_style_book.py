"""Several files of styles: which count, where new ones go, and what is told of names that collide."""

from pathlib import Path

import pytest

from webui.domain.errors import BadRequestError, UnusableFileError, WrongStateError
from webui.prompt.style_book import StyleBook
from webui.prompt.styles import Style, read_all_styles, style_files

HEADER = "name,prompt,negative_prompt\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "styles.csv").write_text(f"{HEADER}ink,my ink,photo\n", encoding="utf-8")
    further = tmp_path / "styles"
    further.mkdir()
    (further / "painters.csv").write_text(f"{HEADER}oil,oil painting,\nink,their ink,\n", encoding="utf-8")
    (further / "Moods.csv").write_text(f"{HEADER}calm,a calm {{prompt}},noise\n", encoding="utf-8")
    (further / "notes.txt").write_text("no styles", encoding="utf-8")
    return tmp_path


def test_the_folder_beside_the_file_holds_further_files(folder: Path) -> None:
    book = StyleBook(folder / "styles.csv")
    assert [*book.files()] == ["styles.csv", "styles/Moods.csv", "styles/painters.csv"]
    assert book.names() == ("ink", "calm", "oil")


def test_of_one_name_in_two_files_the_first_is_meant_and_the_other_is_listed_as_hidden(folder: Path) -> None:
    book = StyleBook(folder / "styles.csv")
    assert book.read()["ink"] == Style("ink", "my ink", "photo")
    listed, problems = book.listed()
    assert problems == ()
    assert [(one.style.prompt, one.file, one.hidden_by) for one in listed if one.style.name == "ink"] == [
        ("my ink", "styles.csv", ""),
        ("their ink", "styles/painters.csv", "styles.csv"),
    ]


def test_wildcards_name_every_file_that_they_match(folder: Path) -> None:
    book = StyleBook(folder / "styles" / "*.csv")
    assert [*book.files()] == ["Moods.csv", "painters.csv"]
    assert book.add(Style("new", "x")) == "Moods.csv"
    assert StyleBook(folder / "none*.csv").files().keys() == {"styles.csv"}
    assert style_files(folder / "none*.csv") == ()


def test_a_damaged_file_costs_its_own_styles_only(folder: Path) -> None:
    (folder / "styles" / "painters.csv").write_bytes(b"\xff\xfe")
    book = StyleBook(folder / "styles.csv")
    assert book.names() == ("ink", "calm")
    listed, problems = book.listed()
    assert len(listed) == 2
    assert len(problems) == 1
    assert "painters.csv" in problems[0]
    for name in ("styles.csv", "styles/Moods.csv"):
        (folder / name).write_bytes(b"\xff")
    with pytest.raises(UnusableFileError, match=r"styles\.csv"):
        book.read()
    assert read_all_styles(folder / "styles.csv")[0] == {}


def test_a_name_that_is_taken_is_not_given_again_and_the_file_is_named(folder: Path) -> None:
    book = StyleBook(folder / "styles.csv")
    with pytest.raises(WrongStateError, match=r"'oil'.*styles/painters\.csv"):
        book.add(Style("oil", "other"))
    with pytest.raises(WrongStateError, match=r"'calm'.*styles/Moods\.csv"):
        book.change("ink", "styles.csv", Style("calm", "x"))
    with pytest.raises(BadRequestError, match="no file of styles"):
        book.add(Style("new", "x"), "../secret.csv")
    assert book.read()["oil"].prompt == "oil painting"


def test_a_style_is_renamed_in_its_row_and_what_changed_meanwhile_is_not_overwritten(folder: Path) -> None:
    book = StyleBook(folder / "styles.csv")
    before = book.read()["oil"]
    book.change("oil", "styles/painters.csv", Style("oils", "in oil"), before)
    assert [*book.files()["styles/painters.csv"].read()] == ["oils", "ink"]
    with pytest.raises(WrongStateError, match="any more"):
        book.change("oil", "styles/painters.csv", Style("oil", "x"), before)
    with pytest.raises(WrongStateError, match="changed elsewhere"):
        book.change("oils", "styles/painters.csv", Style("oils", "x"), before)
    assert book.delete("oils", "styles/painters.csv")
    assert not book.delete("oils", "styles/painters.csv")


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "..", ".hidden", "c:x", "", "a\0b"])
def test_a_picture_is_looked_for_by_plain_names_only(folder: Path, name: str) -> None:
    (folder / "secret.png").write_bytes(b"x")
    assert StyleBook(folder / "styles.csv").picture_of(name, "styles.csv") is None


def test_a_picture_bears_the_name_of_its_style(folder: Path) -> None:
    (folder / "styles" / "ink.webp").write_bytes(b"x")
    (folder / "styles" / "oil.png").write_bytes(b"x")
    book = StyleBook(folder / "styles.csv")
    assert book.picture_of("ink", "styles.csv") == folder / "styles" / "ink.webp"
    assert book.picture_of("oil", "styles/painters.csv") == folder / "styles" / "oil.png"
    assert book.picture_of("calm", "styles/Moods.csv") is None
    assert book.picture_of("ink", "nowhere.csv") is None
