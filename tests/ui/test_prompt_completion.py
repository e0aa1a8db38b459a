"""The scripts that complete prompts, on a bare page: what stands at the cursor, the search, what is written."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.ui.test_prompt_editing import SITE, answer, called, marked, shown
from webui.library.tag_file import Tag, TagFile, packed

TAGS = (
    Tag("1girl", 0, 6_000_000, ("sole_female", "1girls")),
    Tag("long_hair", 0, 4_350_743, ("/lh", "longhair")),
    Tag("looking_at_viewer", 0, 3_000_000),
    Tag("fate_(series)", 3, 150_000, ("fate",)),
    Tag("artoria_pendragon_(fate)", 4, 40_123),
    Tag("hair_ornament", 0, 1_600_000),
    Tag("chair", 0, 90_000),
    Tag("very_long_hair", 0, 900_000),
    Tag("hatsune_miku", 4, 100_950, ("初音ミク",)),
    Tag("hair", 0, 12),
    Tag("best quality", 5, 0, (), "Quality"),
)


@pytest.fixture(scope="module")
def bare(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.route("**/*", answer)
    page.goto(SITE)
    yield page
    context.close()


@pytest.fixture(scope="module")
def tags(bare: Page) -> Page:
    """The page with the tags above as `tags`."""
    ordered = tuple(sorted(TAGS, key=lambda tag: -tag.count))
    bare.evaluate(
        "async ([module, text]) => { window.tags = new (await import(module)).TagList(text); }",
        [f"{SITE}tag_search.js", packed(TagFile(ordered)).decode()],
    )
    return bare


def found(tags: Page, query: str, most: int = 8) -> list[str]:
    rows = tags.evaluate("([query, most]) => tags.search(query, most)", [query, most])
    return [f"{row['alias']} > {row['name']}" if row["alias"] else row["name"] for row in rows]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("lon", ["long_hair", "very_long_hair"]),
        ("long ha", ["long_hair", "very_long_hair"]),
        ("HAIR", ["hair", "long_hair", "hair_ornament", "very_long_hair", "chair"]),
        ("longh", ["longhair > long_hair"]),
        ("fate", ["fate_(series)", "artoria_pendragon_(fate)"]),
        ("fate (se", ["fate_(series)"]),
        ("音ミ", ["初音ミク > hatsune_miku"]),
        ("best q", ["best quality"]),
        ("/lh", ["/lh > long_hair"]),
        ("girls", ["1girls > 1girl"]),
        ("zzz", []),
        ("", []),
        ("a\tb", []),
    ],
)
def test_tags_are_found_by_the_beginnings_of_their_words_the_most_used_first(
    tags: Page, query: str, names: list[str]
) -> None:
    assert found(tags, query) == names


def test_a_search_finds_what_a_plain_one_finds(tags: Page) -> None:
    pieces = {tag.name[begin : begin + 3] for tag in TAGS for begin in range(len(tag.name) - 2)}
    for piece in pieces:
        wanted = piece.replace(" ", "_")
        holding = {tag.name for tag in TAGS if any(wanted in one.replace(" ", "_") for one in (tag.name, *tag.aliases))}
        assert {name.split(" > ")[-1] for name in found(tags, piece, 50)} == holding, piece
        assert len(found(tags, piece, 1)) == 1


def test_going_on_with_a_word_finds_what_the_whole_word_finds_at_once(tags: Page) -> None:
    for word in ("chair", "long_hair", "artoria", "fate_(s", "hatsune_mikk"):
        for length in range(1, len(word) + 1):
            alone = tags.evaluate(
                "([word, most]) => { tags.whole.clear(); return tags.search(word, most); }", [word[:length], 8]
            )
            tags.evaluate(
                "word => { for (let n = 1; n < word.length; n += 1) tags.search(word.slice(0, n), 8); }", word
            )
            assert tags.evaluate("word => tags.search(word, 8)", word[:length]) == alone


def test_what_is_told_of_a_tag(tags: Page) -> None:
    (row,) = tags.evaluate("tags.search('artoria', 5)")
    assert row == {
        "name": "artoria_pendragon_(fate)", "alias": "", "category": 4, "count": 40_123, "note": ""
    }  # fmt: skip
    assert tags.evaluate("tags.search('best', 5)[0].note") == "Quality"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (950, "950"), (1_000, "1k"), (1_250, "1.2k"), (45_999, "45k"), (999_999, "999k"), (1_234_567, "1.2M")],
)
def test_counts_are_short(bare: Page, count: int, text: str) -> None:
    assert called(bare, "tag_search", "short", count) == text


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("lon^", ["tag", "lon", "^lon^"]),
        ("a cat, lon^", ["tag", "lon", "a cat, ^lon^"]),
        ("a cat, lon^, b", ["tag", "lon", "a cat, ^lon^, b"]),
        ("(long ha^:1.2)", ["tag", "long ha", "(^long ha^:1.2)"]),
        ("[cat|lon^]", ["tag", "lon", "[cat|^lon^]"]),
        (r"fate \(se^", ["tag", "fate (se", r"^fate \(se^"]),
        ("a AND lon^", ["tag", "lon", "a AND ^lon^"]),
        ("one\nlon^", ["tag", "lon", "one\n^lon^"]),
        ("lo^ng", None),
        ("a, ^", None),
        ("^", None),
        ("<^", ["network", "", "^<^"]),
        ("a <in^", ["network", "in", "a ^<in^"]),
        ("<lora:in^", ["network", "in", "^<lora:in^"]),
        ("<lora:in^k:0.8> b", ["network", "in", "<lora:^ink^:0.8> b"]),
        ("<lora:ink:0.^8>", None),
        ("<lora:ink:1> lon^", ["tag", "lon", "<lora:ink:1> ^lon^"]),
        ("<other:in^", None),
        ("a __col^", ["wildcard", "col", "a ^__col^"]),
        ("__col^our__ b", ["wildcard", "col", "^__colour__^ b"]),
        ("__animals/ca^", ["wildcard", "animals/ca", "^__animals/ca^"]),
        ("__a__ lon^", ["tag", "__a__ lon", "^__a__ lon^"]),
        ("__a__, __b^", ["wildcard", "b", "__a__, ^__b^"]),
        ("a, $in^", ["style", "in", "a, ^$in^"]),
        ("{2$$a^", ["tag", "2$$a", "{^2$$a^"]),
        ("cost $5^", ["tag", "cost $5", "^cost $5^"]),
    ],
)
def test_what_stands_at_the_cursor(bare: Page, text: str, place: list[str] | None) -> None:
    plain, at, _ = marked(text)
    answered = called(bare, "completion_place", "placeAt", plain, at)
    if place is None:
        assert answered is None
    else:
        assert [answered["kind"], answered["query"], shown({"text": plain, **answered})] == place


def test_the_end_of_a_sentence_may_be_the_beginning_of_a_tag(bare: Page) -> None:
    text = "a photo of a girl with long ha"
    place = called(bare, "completion_place", "placeAt", text, len(text))
    tried = called(bare, "completion_place", "queries", place)
    assert [one["query"] for one in tried] == ["girl with long ha", "with long ha", "long ha", "ha"]
    assert all(text[one["start"] :] == one["query"] for one in tried)


@pytest.mark.parametrize(
    ("name", "spaces", "escape", "text"),
    [
        ("long_hair", True, True, "long hair"),
        ("long_hair", False, True, "long_hair"),
        ("fate_(series)", True, True, r"fate \(series\)"),
        ("fate_(series)", True, False, "fate (series)"),
        (">_<", True, True, ">_<"),
        ("(o)_(o)", True, True, r"\(o\)_\(o\)"),
    ],
)
def test_how_a_tag_is_written(bare: Page, name: str, spaces: bool, escape: bool, text: str) -> None:
    wishes = {"spaces": spaces, "escape": escape, "comma": True}
    assert called(bare, "completion_place", "tagText", name, wishes) == text


@pytest.mark.parametrize(
    ("before", "comma", "after"),
    [
        ("^lon^", True, "long hair, ^^"),
        ("^lon^", False, "long hair^^"),
        ("a ^lon^, b", True, "a long hair^^, b"),
        ("a ^lon^ b", True, "a long hair, ^^b"),
        ("(^lon^:1.2)", True, "(long hair^^:1.2)"),
        ("[cat|^lon^]", True, "[cat|long hair^^]"),
    ],
)
def test_a_comma_comes_where_none_stands(bare: Page, before: str, comma: bool, after: str) -> None:
    text, start, end = marked(before)
    edit = called(bare, "completion_place", "completed", text, {"start": start, "end": end}, "long hair", comma)
    assert shown(edit) == after


@pytest.mark.parametrize(
    ("row", "is_named", "text"),
    [
        ({"kind": "lora", "tag": "ink", "weight": 0, "words": ""}, False, "<lora:ink:1>"),
        ({"kind": "lora", "tag": "ink", "weight": 0.7, "words": "drawn"}, False, "<lora:ink:0.7> drawn"),
        ({"kind": "lora", "tag": "ink", "weight": 0.7, "words": "drawn"}, True, "ink"),
        ({"kind": "hypernetwork", "tag": "h", "weight": 0, "words": ""}, False, "<hypernet:h:1>"),
        ({"kind": "embedding", "tag": "face", "weight": 0, "words": ""}, False, "face"),
    ],
)
def test_what_stands_for_a_network(bare: Page, row: dict[str, Any], is_named: bool, text: str) -> None:
    assert called(bare, "completion_place", "networkText", row, is_named) == text


def test_wishes_are_kept_and_what_somebody_else_wrote_there_is_not_taken(bare: Page) -> None:
    script = """async ([module, kept]) => {
      const store = new Map([["completion", kept]]);
      window.webui = { kept: (name) => store.get(name) ?? null, keep: (name, value) => store.set(name, value) };
      const { chosen, wish } = await import(module);
      const before = chosen();
      wish({ comma: false });
      return [before, store.get("completion")];
    }"""
    module = f"{SITE}completion_wishes.js"
    for kept in ("", "[", "null", '{"rows": "8", "on": 1}'):
        before, after = bare.evaluate(script, [module, kept])
        assert before["on"] is True
        assert before["rows"] == 8
        assert json.loads(after) == {"comma": False}
