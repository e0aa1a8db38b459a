"""Searching: what terms mean, pages and places to jump to, facets, and that indices are used."""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.gallery.pictures import fill, infotext, save_picture, scanned
from webui.domain.errors import BadRequestError
from webui.gallery.gallery import Gallery
from webui.gallery.search_terms import Term, terms_of
from webui.gallery.searching import PAGE, Query, Sort

MANY = 3000


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gallery]:
    folder = tmp_path_factory.mktemp("many")
    made = Gallery(folder / "data", folder / "outputs")
    fill(made, MANY, owners=("ann", "bob", ""))
    yield made
    made.close()


@pytest.fixture(scope="module")
def plain_rows(gallery: Gallery) -> list[dict[str, Any]]:
    """All pictures with all that they are looked for by, as plain data."""
    with gallery.index.reading() as connection:
        rows = connection.execute(
            "SELECT p.*, r.checkpoint, r.sampler, r.scheduler, r.kind, r.program, r.size, r.month, t.prompt,"
            " t.negative, t.notes FROM pictures AS p JOIN traits AS r ON r.id = p.trait"
            " JOIN texts AS t ON t.picture = p.id"
        ).fetchall()
        loras: dict[int, set[str]] = {}
        tags: dict[int, set[str]] = {}
        for table, into in (("loras", loras), ("tags", tags)):
            for picture, name in connection.execute(f"SELECT picture, name FROM {table}"):
                into.setdefault(picture, set()).add(name)
    return [{**dict(row), "lora": loras.get(row["id"], set()), "tag": tags.get(row["id"], set())} for row in rows]


def has_words(text: str, row: dict[str, Any], *, phrase: bool) -> bool:
    """Whether the words stand in one text of the picture in a row; of a term without quotes the last may go on."""
    wanted = words_in(text)
    for name in (
        row["prompt"],
        row["negative"],
        row["notes"],
        row["place"].rpartition("/")[2],
        " ".join(sorted(row["tag"])),
    ):
        there = words_in(name)
        for start in range(len(there) - len(wanted) + 1):
            part = there[start : start + len(wanted)]
            if part[:-1] == wanted[:-1] and (
                part[-1] == wanted[-1] or (not phrase and part[-1].startswith(wanted[-1]))
            ):
                return True
    return False


def words_in(text: str) -> list[str]:
    return re.findall(r"[一-鿿]|[^\W_一-鿿]+", text.lower())


CASES: dict[str, Any] = {
    "": lambda row: True,
    "castle": lambda row: has_words("castle", row, phrase=False),
    "cat": lambda row: has_words("cat", row, phrase=False),
    '"cat"': lambda row: has_words("cat", row, phrase=True),
    '"old town"': lambda row: has_words("old town", row, phrase=True),
    "雪": lambda row: "雪" in row["prompt"],
    "猫 castle": lambda row: "猫" in row["prompt"] and has_words("castle", row, phrase=False),
    "castle -river": lambda row: has_words("castle", row, phrase=False) and not has_words("river", row, phrase=False),
    '-"old town" -winter': lambda row: not has_words("old town", row, phrase=True)
    and not has_words("winter", row, phrase=False),
    "checkpoint:ink": lambda row: "ink" in row["checkpoint"],
    'model:="inkwash_15"': lambda row: row["checkpoint"] == "inkwash_15",
    'model:="inkwash"': lambda row: False,
    "-sampler:euler": lambda row: "euler" not in row["sampler"].lower(),
    "kind:=img2img rating:>=3": lambda row: row["kind"] == "img2img" and row["rating"] >= 3,
    "lora:film": lambda row: "film" in row["lora"],
    "-lora:ink": lambda row: "ink" not in row["lora"],
    'tag:="best of"': lambda row: "best of" in row["tag"],
    "size:512x768": lambda row: row["size"] == "512x768",
    "height:600..800": lambda row: 600 <= row["height"] <= 800,
    "steps:<30": lambda row: row["steps"] < 30,
    "seed:7": lambda row: row["seed"] == "7",
    "date:>=2023-12-01": lambda row: row["created"] >= datetime(2023, 12, 1).timestamp(),
    "date:2024-01": lambda row: datetime(2024, 1, 1).timestamp() <= row["created"] < datetime(2024, 2, 1).timestamp(),
    "date:2023": lambda row: row["created"] < datetime(2024, 1, 1).timestamp(),
    "notes:print": lambda row: "print" in row["notes"],
    "negative:lowres": lambda row: "lowres" in row["negative"],
    "name:000123": lambda row: row["place"].endswith("000123.png"),
    "folder:a/0001": lambda row: "a/0001" in row["place"],
    "river castle lora:ink rating:5": lambda row: has_words("river", row, phrase=False)
    and has_words("castle", row, phrase=False) and "ink" in row["lora"] and row["rating"] == 5,
}  # fmt: skip


@pytest.mark.parametrize("text", CASES)
def test_a_search_finds_what_a_look_at_every_row_finds(
    gallery: Gallery, plain_rows: list[dict[str, Any]], text: str
) -> None:
    expected = {row["id"] for row in plain_rows if CASES[text](row)}
    assert set(all_ids(gallery, Query(text))) == expected
    assert gallery.search.page(Query(text)).total == len(expected)


def all_ids(gallery: Gallery, query: Query, limit: int = PAGE) -> list[int]:
    """The ids of all pages, one after the other."""
    page = gallery.search.page(query, limit=limit)
    ids = [row.id for row in page.rows]
    while page.after:
        page = gallery.search.page(query, after=page.after, limit=limit)
        ids += [row.id for row in page.rows]
    return ids


@pytest.mark.parametrize(
    ("sort", "key"),
    [
        ("newest", lambda row: (-row["created"], -row["id"])),
        ("oldest", lambda row: (row["created"], row["id"])),
        ("rating", lambda row: (-row["rating"], -row["id"])),
        ("size", lambda row: (-row["area"], -row["id"])),
    ],
)
def test_pages_follow_one_another_and_can_be_jumped_to(
    gallery: Gallery, plain_rows: list[dict[str, Any]], sort: Sort, key: Any
) -> None:
    query = Query("castle", sort=sort)
    expected = [row["id"] for row in sorted(plain_rows, key=key) if has_words("castle", row, phrase=False)]
    assert all_ids(gallery, query) == expected
    assert all_ids(gallery, query, limit=7) == expected
    anchors = gallery.search.anchors(query)
    for number, anchor in enumerate(anchors, 1):
        page = gallery.search.page(query, after=anchor)
        assert [row.id for row in page.rows] == expected[number * PAGE : (number + 1) * PAGE]
    assert len(anchors) == len(expected) // PAGE


@pytest.mark.parametrize("text", ["", "castle", "lora:ink", "kind:=img2img rating:>=3", "date:2024-01 -cat"])
def test_facets_count_what_was_found(gallery: Gallery, plain_rows: list[dict[str, Any]], text: str) -> None:
    found = set(all_ids(gallery, Query(text)))
    rows = [row for row in plain_rows if row["id"] in found]
    told = gallery.search.facets(Query(text))
    for name in ("checkpoint", "sampler", "kind", "size", "month", "program"):
        assert dict(told[name]) == Counter(row[name] for row in rows)
    for name in ("lora", "tag"):
        assert dict(told[name]) == Counter(value for row in rows for value in row[name])
    assert dict(told["rating"]) == Counter(str(row["rating"]) for row in rows if row["rating"])


def test_a_value_of_a_facet_finds_as_many_as_it_counts(gallery: Gallery) -> None:
    told = gallery.search.facets(Query())
    for name in ("checkpoint", "sampler", "kind", "size", "lora", "tag"):
        for value, count in told[name]:
            assert gallery.search.page(Query(f'{name}:="{value}"')).total == count, (name, value)


def test_a_user_finds_only_pictures_of_their_own(gallery: Gallery, plain_rows: list[dict[str, Any]]) -> None:
    own = {row["id"] for row in plain_rows if row["owner"] == "ann"}
    assert set(all_ids(gallery, Query(owner="ann"))) == own
    assert sum(count for _, count in gallery.search.facets(Query(owner="ann"))["checkpoint"]) == len(own)
    other = next(row["id"] for row in plain_rows if row["owner"] != "ann")
    with pytest.raises(BadRequestError, match="no picture"):
        gallery.search.details(other, "ann")
    assert [row.id for row in gallery.search.rows([min(own), other], "ann")] == [min(own)]


@pytest.mark.parametrize(
    "text",
    [
        '"', "-", "''", "NEAR(a b)", "a OR b", "prompt:", "*", "a*", "^a", '"a" AND', "words MATCH 'x'", "(((", "x:y:z",
        "%", "_", "checkpoint:%", "\0", "seed:abc", "a" * 5000, "- - -", "lora:'; DROP TABLE pictures; --", "🙂",
    ],
)  # fmt: skip
def test_whatever_is_typed_is_no_error(gallery: Gallery, text: str) -> None:
    gallery.search.page(Query(text))
    gallery.search.facets(Query(text))
    assert gallery.search.page(Query()).total == MANY


@pytest.mark.parametrize("text", ["rating:many", "date:yesterday", "date:2026-13", "width:..", "date:99999"])
def test_a_number_or_date_that_is_none_is_refused_with_a_sentence(gallery: Gallery, text: str) -> None:
    with pytest.raises(BadRequestError, match="write"):
        gallery.search.page(Query(text))


def test_a_place_in_a_list_that_is_none_is_refused(gallery: Gallery) -> None:
    for after in ("x", "!!", "bnVsbA", "W10"):
        with pytest.raises(BadRequestError, match="no place"):
            gallery.search.page(Query(), after=after)


def test_terms_are_read_as_they_are_typed() -> None:
    assert terms_of('winter "old town" -people model:=x -lora:"a b" (castle:1.2) rating:>=3') == (
        Term("", "", "winter"), Term("", "", "old town", whole=True), Term("", "", "people", negated=True),
        Term("checkpoint", "=", "x"), Term("lora", "", "a b", whole=True, negated=True),
        Term("", "", "(castle:1.2)"), Term("rating", ">=", "3"),
    )  # fmt: skip


def plan(gallery: Gallery, query: Query, select: str, tail: str = "") -> str:
    condition = query.condition
    with gallery.index.reading() as connection:
        rows = connection.execute(
            f"EXPLAIN QUERY PLAN SELECT {select} FROM pictures WHERE {condition.sql} {tail}", condition.values
        ).fetchall()
    return "\n".join(row["detail"] for row in rows)


@pytest.mark.parametrize(
    ("sort", "index"),
    [
        ("created DESC, id DESC", "pictures_by_date"), ("created, id", "pictures_by_date"),
        ("rating DESC, id DESC", "pictures_by_rating"), ("area DESC, id DESC", "pictures_by_area"),
    ],
)  # fmt: skip
def test_no_list_is_sorted_at_the_time_of_asking(gallery: Gallery, sort: str, index: str) -> None:
    key = sort.split()[0].strip(",")
    told = plan(gallery, Query(), f"{key}, id", f"ORDER BY {sort} LIMIT 200")
    assert index in told
    assert "TEMP B-TREE" not in told


@pytest.mark.parametrize(
    ("text", "index"),
    [("seed:7", "pictures_by_seed"), ("castle", "VIRTUAL TABLE INDEX"), ('lora:="ink"', "loras_by_name"),
     ('tag:="finished"', "tags_by_name")],
)  # fmt: skip
def test_every_kind_of_term_has_its_index(gallery: Gallery, text: str, index: str) -> None:
    assert index in plan(gallery, Query(text), "id")


def test_facets_of_everything_are_counted_from_an_index_alone(gallery: Gallery) -> None:
    told = plan(gallery, Query(), "trait, rating, count(*)", "GROUP BY trait, rating")
    assert "COVERING INDEX pictures_by_trait" in told
    assert "TEMP B-TREE" not in told


def test_readers_cannot_write(gallery: Gallery) -> None:
    def try_to() -> None:
        with gallery.index.reading() as connection:
            connection.execute("DELETE FROM pictures")

    with pytest.raises(Exception, match="readonly"):
        try_to()


def test_a_change_that_fails_leaves_nothing(gallery: Gallery) -> None:
    def broken(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM tags")
        raise ValueError("on the way")

    before = gallery.search.facets(Query())["tag"]
    with pytest.raises(ValueError, match="on the way"):
        gallery.index.write(broken)
    assert gallery.search.facets(Query())["tag"] == before


def test_an_index_of_a_newer_version_is_refused_and_a_damaged_one_moved_aside(tmp_path: Path) -> None:
    from webui.domain.errors import WebuiError

    save_picture(tmp_path / "outputs/a.png", infotext("x"))
    gallery = Gallery(tmp_path / "data", tmp_path / "outputs")
    gallery.close()
    path = tmp_path / "data/library.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(WebuiError, match="newer version"):
        Gallery(tmp_path / "data", tmp_path / "outputs")
    path.write_bytes(b"not a database" * 500)
    gallery = Gallery(tmp_path / "data", tmp_path / "outputs")
    assert gallery.index.moved_aside is not None
    assert [row.name for row in scanned(gallery).search.page(Query()).rows] == ["a.png"]
    gallery.close()


def test_when_checkpoints_and_loras_were_used_last_is_the_date_of_their_newest_picture(
    gallery: Gallery, plain_rows: list[dict[str, Any]]
) -> None:
    rows = plain_rows
    for kind, names_of in (("checkpoint", lambda row: {row["checkpoint"]}), ("lora", lambda row: row["lora"])):
        newest: dict[str, float] = {}
        for row in rows:
            for name in names_of(row):
                newest[name] = max(newest.get(name, 0.0), row["created"])
        assert dict(gallery.last_uses.of(kind)) == {name: at for name, at in newest.items() if name}
    assert gallery.last_uses.of("vae") == {}
