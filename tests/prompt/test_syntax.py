"""Laws of the prompt language that hold for every text."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webui.domain.errors import BadRequestError, UnusableFileError
from webui.prompt.attention import MAX_DEPTH, SQUARE
from webui.prompt.syntax import (
    Segment,
    Style,
    extra_networks,
    merge_styles,
    parse_attention,
    read_styles,
    schedules,
    split_and,
    strip_comments,
)

LENGTH = 32_000
syntax = st.text(alphabet="()[]:|\\<>#=, ab1.-\nAND", max_size=60)
plain = st.text(alphabet="abc ,.1<>#é", max_size=60)


@given(plain)
def test_text_without_signs_is_one_segment_and_one_schedule(text: str) -> None:
    assert parse_attention(text) == [(text, 1.0)]
    assert schedules(text, 10) == [(10, text)]


@given(syntax)
def test_neighbouring_segments_differ_in_weight(text: str) -> None:
    try:
        segments = parse_attention(text)
    except BadRequestError:
        return
    assert segments
    assert all(left.weight != right.weight for left, right in pairwise(segments))


@given(syntax, st.integers(1, 40), st.none() | st.integers(1, 40), st.booleans())
def test_schedule_rises_to_the_number_of_steps(text: str, steps: int, base: int | None, old: bool) -> None:
    entries = schedules(text, steps, base, old=old)
    ends = [until for until, _ in entries]
    assert ends == sorted(set(ends))
    assert ends[0] >= 1
    assert ends[-1] == (base if old and base is not None else steps)


@given(syntax)
def test_each_parser_takes_any_text(text: str) -> None:
    assert "#" not in re.sub(r"<\w+:[^<>\n]+>", "", strip_comments(text))
    rest, tags = extra_networks(text)
    assert len(rest) <= len(text)
    assert all(tag.positional or tag.named for tag in tags)
    assert len(split_and(text)) >= 1


@pytest.mark.parametrize(
    "text",
    [
        "(" * LENGTH,
        "([" * (LENGTH // 4) + ")]" * (LENGTH // 4),
        "[a:" * (LENGTH // 8) + ":1]" * (LENGTH // 8),
        "[a|b]" * (LENGTH // 50),
        " " * LENGTH + "BREAK",
        "<a:" * (LENGTH // 3),
        "#\n" * (LENGTH // 2),
        "(a:" + "1" * LENGTH,
        "\\" * (LENGTH - 1),
    ],
    ids=lambda text: text[:6],
)
def test_hostile_texts_are_read(text: str) -> None:
    parse_attention(text)
    schedules(text, 20)
    split_and(strip_comments(extra_networks(text)[0]))


def test_brackets_deeper_than_the_limit_have_no_effect() -> None:
    deep = MAX_DEPTH + 20
    ((_, weight),) = parse_attention("[" * deep + "a" + "]" * deep)
    assert weight == pytest.approx(SQUARE**MAX_DEPTH)
    ((_, unclosed),) = parse_attention("(" * deep + "a")
    assert unclosed == pytest.approx(1.1**MAX_DEPTH)


def test_schedules_deeper_than_the_limit_are_literal() -> None:
    deep = "[" * MAX_DEPTH + "a" + ":3]" * MAX_DEPTH
    assert schedules(deep, 10) == [(3, ""), (10, "a")]
    assert schedules(f"[{deep}:3]", 10) == [(3, "[:3]"), (10, "[a:3]")]


def test_round_and_square_brackets_are_independent() -> None:
    segments = parse_attention("(a [b) c]")
    assert segments == [("a ", 1.1), ("b", pytest.approx(1.1 * SQUARE)), (" c", pytest.approx(SQUARE))]


def test_break_is_a_marker_only_outside_brackets() -> None:
    assert [segment.is_break for segment in parse_attention("a BREAK b")] == [False, True, False]
    assert not any(segment.is_break for segment in parse_attention("(a BREAK b)"))
    assert Segment("BREAK", 1.0).is_break is False


def test_a_weight_that_is_no_number_names_the_field() -> None:
    with pytest.raises(BadRequestError, match=r"negative_prompt: the weight ':1\.2\.3\)'"):
        parse_attention("(a:1.2.3)", field="negative_prompt")


def test_a_schedule_that_overflows_is_clamped() -> None:
    assert schedules("[a:b:1e999]", 10) == [(10, "a")]
    assert schedules("[a:b:-1e999]", 10) == [(10, "b")]
    assert schedules("[a:b:1.0e999]", 10) == [(10, "a")]


def test_a_group_inside_a_malformed_one_still_works() -> None:
    assert schedules("([a:b:3]:c:d)", 10) == [(3, "(a:c:d)"), (10, "(b:c:d)")]
    assert schedules("[x:(a:b:c):3]", 10) == [(10, "[x:(a:b:c):3]")]


def test_a_tag_without_arguments_is_text() -> None:
    assert extra_networks("<a:>b>") == ("<a:>b>", ())
    text, tags = extra_networks("<a:><lora:x=1=2:y=3> z")
    assert text == "<a:> z"
    assert (tags[0].kind, tags[0].positional, dict(tags[0].named)) == ("lora", ("x=1=2",), {"y": "3"})


def test_styles_file(tmp_path: Path) -> None:
    file = tmp_path / "styles.csv"
    file.write_text(
        'name,prompt,negative_prompt\nfilm,"{prompt}, ""film""\n grain",blur\n#off,x,y\nbare,just this,\n',
        encoding="utf-8-sig",
    )
    styles = read_styles(file)
    assert list(styles) == ["film", "bare"]
    assert styles["film"] == Style("film", '{prompt}, "film"\n grain', "blur")
    assert merge_styles("cat", "", ["film", "unknown"], styles) == ('cat, "film"\n grain', "blur")


def test_styles_file_of_old_versions(tmp_path: Path) -> None:
    file = tmp_path / "styles.csv"
    file.write_text("name,text\nold,oil\n")
    assert read_styles(file) == {"old": Style("old", "oil", "")}
    assert read_styles(tmp_path / "none.csv") == {}
    (tmp_path / "empty.csv").write_text("")
    assert read_styles(tmp_path / "empty.csv") == {}


@pytest.mark.parametrize("content", [b"prompt\nx\n", b"name,prompt\n\xff\xfe,x\n", b'name,prompt\n"' + b"x" * 200_000])
def test_a_damaged_styles_file_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "styles.csv"
    file.write_bytes(content)
    with pytest.raises(UnusableFileError, match=r"styles\.csv"):
        read_styles(file)
