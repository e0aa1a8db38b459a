"""Lists of tags: what lines mean, what is left out, where lists lie, how they are packed for the page."""

import json
from pathlib import Path

import pytest

from webui.domain.errors import UnusableFileError
from webui.library.tag_file import MAX_ALIASES, Tag, TagFile, packed, read_tags
from webui.library.tag_lists import TagLists, tag_folders


def written(folder: Path, text: str | bytes, name: str = "danbooru.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_line_is_a_tag_with_category_count_and_other_names(tmp_path: Path) -> None:
    text = (
        'long_hair,0,4350743,"/lh,longhair"\n1girl,0,6008644,"1girls, sole_female"\n\nfate_(series),3,12,\n'
        "best quality,5,Quality Words\nbare\n"
    )
    assert read_tags(written(tmp_path, text)) == TagFile(
        (
            Tag("1girl", 0, 6008644, ("1girls", "sole_female")),
            Tag("long_hair", 0, 4350743, ("/lh", "longhair")),
            Tag("fate_(series)", 3, 12),
            Tag("best quality", 5, 0, (), "Quality Words"),
            Tag("bare"),
        )
    )


def test_a_first_line_may_name_the_columns_in_any_order(tmp_path: Path) -> None:
    text = "id,name,category,post_count\n3,wolf,5,77\n4,dragon,5,90\n"
    assert read_tags(written(tmp_path, text)).tags == (Tag("dragon", 5, 90), Tag("wolf", 5, 77))


def test_lines_that_are_no_tags_are_counted(tmp_path: Path) -> None:
    many = ",".join(f"alias{number}" for number in range(2 * MAX_ALIASES))
    file = read_tags(written(tmp_path, f'{"x" * 300},0,1\ncat,0,5,"{many}"\n"a\nb",0,1\n,0,3\ncat,0,9\n\x00dog,0,1\n'))
    assert [(tag.name, tag.count, len(tag.aliases)) for tag in file.tags] == [("cat", 5, MAX_ALIASES)]
    assert file.left_out == 4


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no line is a tag"),
        (b",,\n,,\n", "no line is a tag"),
        (b"caf\xe9,0,1\n", "no UTF-8 text (byte 3)"),
        (b'cat,0,1,"' + b"x" * 200_000 + b'"\n', "line 1: field larger"),
    ],
)
def test_what_is_no_list_is_refused_with_its_name(tmp_path: Path, content: bytes, said: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(UnusableFileError, match=r"danbooru\.csv") as told:
        read_tags(path)
    assert said in str(told.value)


def test_a_packed_list_has_the_numbers_first_and_a_line_for_each_tag() -> None:
    tags = (Tag("猫", 4, 5, ("cat", "kitty")), Tag("dog", 0, 0, (), "a note"))
    head, *lines = packed(TagFile(tags, 3)).decode().split("\n")
    assert json.loads(head) == {"categories": [4, 0], "counts": [5, 0], "notes": {"1": "a note"}, "left_out": 3}
    assert lines == ["猫\tcat\tkitty", "dog"]


def test_lists_lie_in_our_folder_and_in_that_of_the_extension_in_linked_programs(tmp_path: Path) -> None:
    program = tmp_path / "A1111"
    theirs = program / "extensions" / "a1111-sd-webui-tagcomplete" / "tags"
    written(theirs, "theirs,0,1")
    written(theirs, "wolf,5,1", "e621.csv")
    (program / "models").mkdir()
    data = tmp_path / "data"
    assert tag_folders(data, [program]) == (data / "tags", theirs)
    assert tag_folders(data, [program / "models"]) == (data / "tags", theirs)
    lists = TagLists(tag_folders(data, [program]))
    assert [(one.name, one.board) for one in lists.listed()] == [("danbooru.csv", "danbooru"), ("e621.csv", "e621")]
    before = lists.listed()[0].digest
    written(data / "tags", "ours,0,1")
    ours = lists.listed()[0].digest
    assert ours != before
    assert lists.content(ours) == packed(TagFile((Tag("ours", 0, 1),)))
    assert lists.content(before) is None


def test_a_list_that_cannot_be_used_says_so_from_then_on_and_another_version_is_read_again(tmp_path: Path) -> None:
    written(tmp_path, ",,")
    lists = TagLists([tmp_path, tmp_path / "missing"])
    (one,) = lists.listed()
    with pytest.raises(UnusableFileError):
        lists.content(one.digest)
    assert "no line is a tag" in lists.listed()[0].problem
    written(tmp_path, "cat,0,1")
    (again,) = lists.listed()
    assert again.problem == ""
    assert lists.content(again.digest) is not None
