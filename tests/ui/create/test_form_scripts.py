"""The scripts of the form that know nothing of the page, in a real browser: sizes, texts, what is kept and undone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from playwright.sync_api import Browser, Page

import webui.ui
from tests.ui.driving import served

STATIC = Path(webui.ui.__file__).parent / "static"
A1111 = "a dog\nNegative prompt: cats\nSteps: 31, Sampler: Euler a, Seed: 9, Variation seed: 4, Size: 64x64"


@pytest.fixture(scope="module")
def bare(browser: Browser) -> Iterator[Page]:
    """An empty page beside which the scripts lie."""
    app = FastAPI()

    @app.get("/")
    def empty() -> HTMLResponse:
        return HTMLResponse("<!doctype html><title>-</title>")

    app.mount("/static", StaticFiles(directory=STATIC))
    with served(app) as address:
        page = browser.new_page()
        page.goto(address)
        yield page
        page.close()


def call(page: Page, module: str, function: str, *arguments: Any) -> Any:
    script = "async ([module, name, values]) => (await import(`/static/${module}.js`))[name](...values)"
    return page.evaluate(script, [module, function, [*arguments]])


@pytest.mark.parametrize(
    ("ratio", "side", "size"),
    [
        ("1:1", 512, [512, 512]),
        ("1:1", 1024, [1024, 1024]),
        ("2:3", 512, [416, 624]),
        ("2:3", 1024, [832, 1248]),
        ("3:2", 1024, [1248, 832]),
        ("4:5", 1024, [928, 1160]),
        ("16:9", 1024, [1368, 768]),
        ("9:16", 1024, [768, 1368]),
        ("16:9", 64, [88, 48]),
    ],
)
def test_a_ratio_is_a_size_of_whole_cells_near_the_trained_area(
    bare: Page, ratio: str, side: int, size: list[int]
) -> None:
    assert call(bare, "form_sizes", "sized", ratio, side * side) == size


@pytest.mark.parametrize("ratio", ["1:1", "4:5", "2:3", "9:16", "5:4", "3:2", "16:9"])
@pytest.mark.parametrize("side", [256, 512, 768, 1024])
def test_the_size_of_a_ratio_is_known_as_that_ratio(bare: Page, ratio: str, side: int) -> None:
    width, height = call(bare, "form_sizes", "sized", ratio, side * side)
    wide, high = map(int, ratio.split(":"))
    assert width % 8 == height % 8 == 0
    assert abs(width * height / side**2 - 1) < 0.1
    assert abs(width / height / (wide / high) - 1) < 0.06
    ratios = ["1:1", "4:5", "2:3", "9:16", "5:4", "3:2", "16:9"]
    assert call(bare, "form_sizes", "ratioOf", width, height, side * side, ratios) == ratio
    assert call(bare, "form_sizes", "ratioOf", 512, 520, side * side, ratios) is None


@pytest.mark.parametrize(
    ("text", "size"), [("640x960", [640, 960]), (" 64 × 8192 ", [64, 8192]), ("640", None), ("a 640x960", None)]
)
def test_a_size_is_read_from_a_text(bare: Page, text: str, size: list[int] | None) -> None:
    assert call(bare, "form_sizes", "sizeIn", text) == size


@pytest.mark.parametrize(
    ("text", "has"),
    [(A1111, True), ("a dog on Steps: 31", False), ("Steps: 3, Seed: 4", True), ("Steps: many, Seed: 4", False)],
)
def test_generation_parameters_are_told_from_a_prompt(bare: Page, text: str, has: bool) -> None:
    assert call(bare, "parameters_text", "holdsParameters", text) is has


def test_values_are_found_in_the_line_of_parameters_only(bare: Page) -> None:
    assert call(bare, "parameters_text", "valueIn", A1111, "Seed") == "9"
    assert call(bare, "parameters_text", "valueIn", A1111, "Variation seed") == "4"
    assert call(bare, "parameters_text", "valueIn", "Seed: 3, a\nSteps: 1, Sampler: Euler", "Seed") is None


SKIP = {"__type__": "update"}
MAKE = """async () => {
  const { FormState } = await import("/static/form_state.js");
  window.states = (drawn) => new FormState(["a", "b"], drawn, localStorage);
}"""


@pytest.fixture
def states(bare: Page) -> Page:
    bare.evaluate(MAKE)
    bare.evaluate("localStorage.clear()")
    return bare


def test_nothing_is_changed_where_nothing_was_kept_or_changed(states: Page) -> None:
    assert states.evaluate("states({a: 1, b: 2}).begin(null, [1, 2])") == [SKIP, SKIP]


def test_other_starting_values_are_shown_but_not_over_what_was_typed(states: Page) -> None:
    states.evaluate("window.one = states({a: 1, b: 2})")
    assert states.evaluate("one.begin(null, [1, 7])") == [SKIP, SKIP]
    assert states.evaluate("one.begin({a: 5, b: 6}, [1, 7])") == [5, SKIP]


@pytest.mark.parametrize(
    "begins", ["one.begin(null, [1, 2]); one.changed([1, 7]); one.settle()", "one.changed([1, 7])"]
)
def test_what_was_typed_before_the_starting_values_came_can_be_undone(states: Page, begins: str) -> None:
    states.evaluate(f"window.one = states({{a: 1, b: 2}}); {begins}")
    assert states.evaluate("one.begin({a: 5, b: 6}, [1, 7])") == [5, SKIP]
    assert states.evaluate("one.undo([5, 7])") == [SKIP, 2]
    assert states.evaluate("one.can") == {"undo": False, "redo": True}
    assert states.evaluate("one.redo([5, 2])") == [SKIP, 7]


def test_what_the_program_fills_in_is_nothing_to_undo(states: Page) -> None:
    states.evaluate("window.one = states({a: 1, b: 2})")
    states.evaluate(
        "one.remembered.add('a'); one.begin(null, [3, 2]); one.begin({b: 4}, [3, 2]); one.begin(null, [3, 4])"
    )
    assert states.evaluate("one.can") == {"undo": False, "redo": False}


def test_what_differs_from_the_starting_values_is_kept_for_the_next_visit(states: Page) -> None:
    states.evaluate(
        "window.one = states({a: 1, b: 2}); one.begin({a: 1, b: 2}, [1, 2]); one.changed([1, 9]); one.settle()"
    )
    assert states.evaluate("states({a: 1, b: 2}).begin(null, [1, 2])") == [SKIP, 9]
    assert states.evaluate("states({a: 3, b: 2}).begin({a: 4, b: 2}, [3, 2])") == [4, 9]
    assert states.evaluate("states({a: 1, b: 2}).begin(null, [1, 'typed'])") == [SKIP, SKIP]


def test_another_version_or_a_damaged_entry_is_not_read(states: Page) -> None:
    for kept in ('{"version": 0, "fields": {"a": 9}}', "{", '"x"', "null", "[]"):
        states.evaluate("(kept) => localStorage.setItem('webui_form', kept)", kept)
        assert states.evaluate("states({a: 1, b: 2}).begin(null, [1, 2])") == [SKIP, SKIP]


def test_changes_are_undone_and_done_again(states: Page) -> None:
    states.evaluate("""() => {
      window.one = states({a: 1, b: 2});
      one.begin(null, [1, 2]);
      for (const now of [[1, 3], [4, 3]]) { one.changed(now); one.settle(); }
    }""")
    assert states.evaluate("one.can") == {"undo": True, "redo": False}
    assert states.evaluate("one.undo([4, 3])") == [1, SKIP]
    assert states.evaluate("one.undo([1, 3])") == [SKIP, 2]
    assert states.evaluate("one.undo([1, 2])") == [SKIP, SKIP]
    assert states.evaluate("one.redo([1, 2])") == [SKIP, 3]
    states.evaluate("one.changed([8, 3]); one.settle()")
    assert states.evaluate("one.redo([8, 3])") == [SKIP, SKIP]
    assert states.evaluate("one.undo([8, 3])") == [1, SKIP]


def test_a_change_that_has_not_settled_is_undone_too(states: Page) -> None:
    states.evaluate("window.one = states({a: 1, b: 2}); one.begin(null, [1, 2]); one.changed([5, 2])")
    assert states.evaluate("one.undo([5, 2])") == [1, SKIP]


def test_reset_goes_to_the_starting_values_and_can_be_undone(states: Page) -> None:
    states.evaluate(
        "window.one = states({a: 1, b: 2}); one.begin({a: 3, b: 2}, [1, 2]); one.changed([7, 7]); one.settle()"
    )
    assert states.evaluate("one.reset([7, 7])") == [3, 2]
    assert states.evaluate("one.undo([3, 2])") == [7, 7]


def test_what_the_program_remembers_is_undone_but_neither_kept_nor_reset(states: Page) -> None:
    states.evaluate(
        "window.remembering = () => new (states({}).constructor)(['a', 'b'], {a: 1, b: 2}, localStorage, ['b'])"
    )
    states.evaluate("window.one = remembering(); one.begin({a: 1, b: 5}, [1, 4]); one.changed([3, 9]); one.settle()")
    assert states.evaluate("remembering().begin(null, [1, 4])") == [3, SKIP]
    assert states.evaluate("one.reset([3, 9])") == [1, SKIP]
    assert states.evaluate("one.undo([3, 9])") == [1, 4]


def test_what_comes_with_a_checkpoint_spares_what_was_set_by_hand(states: Page) -> None:
    states.evaluate("window.one = states({a: 1, b: 2}); one.begin(null, [1, 2]); one.changed([1, 7]); one.settle()")
    told = states.evaluate("one.suit([1, 7], {a: 5, b: 6})")
    assert told == {"values": [5, SKIP], "set": ["a"], "kept": ["b"]}
    assert states.evaluate("one.undo([5, 7])") == [1, SKIP]
    # the next checkpoint brings another value in the place of the one before, and one without any the usual one
    states.evaluate("one.changed([5, 7]); one.settle()")
    assert states.evaluate("one.suit([5, 7], {a: 8})") == {"values": [8, SKIP], "set": ["a"], "kept": []}
    again = "states({a: 1, b: 2})"  # over a reload of the page, too
    states.evaluate(f"window.two = {again}; two.begin(null, [8, 7])")
    assert states.evaluate("two.suit([8, 7], {})") == {"values": [1, SKIP], "set": ["a"], "kept": []}
    assert states.evaluate("two.suit([4, 7], {a: 5}, {a: 4})")["values"] == [5, SKIP]  # 4 came with the checkpoint


@pytest.mark.parametrize(
    ("text", "before", "prefix", "after"),
    [
        ("a cat", "", "best", "best, a cat"),
        ("best, a cat", "best", "", "a cat"),
        ("best, a cat", "best", "score_9,", "score_9, a cat"),
        ("my best, a cat", "best", "x", "x, my best, a cat"),
        ("", "", "best", "best"),
        ("best, a cat", "", "best", "best, a cat"),
    ],
)
def test_a_prefix_takes_the_place_of_the_one_before(
    bare: Page, text: str, before: str, prefix: str, after: str
) -> None:
    assert call(bare, "prompt_text", "withPrefix", text, before, prefix) == after


@pytest.mark.parametrize(
    ("text", "words", "after"),
    [
        ("", ["a", "b"], "a, b"),
        ("a cat", ["a", "A Cat"], "a cat, a"),
        ("a cat,", ["b"], "a cat, b"),
        ("<lora:x:1>", ["b"], "<lora:x:1> b"),
        ("<i>x</i>", ["b"], "<i>x</i>, b"),
        ("b, <lora:b:1>, c", ["b", "c"], "b, <lora:b:1>, c"),
    ],
)
def test_words_are_put_in_once(bare: Page, text: str, words: list[str], after: str) -> None:
    assert call(bare, "prompt_text", "withWords", text, words) == after
