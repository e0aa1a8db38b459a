"""The scripts of experiments on a bare page: the grammar is Python's, plans are counted, a thousand cells stay few."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.ui.bare import assets, bare_page, call
from tests.ui.plots_stand_in import AXES
from webui.experiments.axis_values import Kind, texts_of, values_of

DATA = Path(__file__).parents[1] / "data"
TEXTS = (
    "1,2, 3", "1-5", "1-9 (+2)", "5-1 (-2)", "1-10 [5]", "-1, 4-5", "1,,2", "0.5", "0-1 [3]", "0.2-0.8 (+0.3)", "1.5",
    'a, "b, c" ,d', 'say ""x""', '"he said ""no""", b', "a,", "", " , ", "x", "1-5000", "0-1 (+0.0001)", "1-5 (+0)",
    "-5--1", "-3-3 [4]", "1e2", "+4", "a b", "a,b,c,d,e,f,g", "1-2 [5]", '"open', "3-1", "0.1-0.35 (+0.05)", "1 - 3",
)  # fmt: skip
VALUES = """
const shown = (kind, text) => {
  try { return module.valuesOf(kind, module.textsOf(text)); } catch (error) { return error instanceof module.Unreadable ? null : String(error); }
};
return argument.map(([kind, text]) => shown(kind, text));
"""  # noqa: E501


@pytest.fixture(scope="module")
def bare(browser: Browser) -> Iterator[Page]:
    with bare_page(browser, width=900, height=700) as page:
        page.add_style_tag(content=assets().files["sheet.css"].decode())
        yield page


def shown(kind: Kind, text: str) -> list[str] | None:
    """The values as Python reads them, as the page shows them; None where it reads none."""
    try:
        values = values_of(kind, texts_of(text))
    except ValueError:
        return None
    told = [", ".join(one) if isinstance(one, tuple) else one for one in values]
    return [one if isinstance(one, str) else f"{round(one, 8):.8f}".rstrip("0").rstrip(".") for one in told]


def made_up(count: int) -> list[tuple[Kind, str]]:
    """Ranges that somebody may type."""
    chance = random.Random(5)
    found: list[tuple[Kind, str]] = []
    for _ in range(count):
        kind: Kind = chance.choice(("int", "float"))
        first, last, step = (chance.randint(-20, 40) for _ in range(3))
        scale = 1 if kind == "int" else chance.choice((1, 2, 10))
        end = chance.choice(("", f" ({step / scale:+g})", f" [{abs(step)}]")) if scale > 1 else f" ({step:+d})"
        found.append((kind, f"{first / scale:g}-{last / scale:g}{end}"))
    return found


def test_values_are_read_as_python_reads_them(bare: Page) -> None:
    kinds: tuple[Kind, ...] = ("int", "float", "text", "order")
    cases = [(kind, text) for text in TEXTS for kind in kinds] + made_up(150)
    found = call(bare, "axis_grammar.js", VALUES, cases)
    expected = [shown(kind, text) for kind, text in cases]
    wrong = [(case, one, other) for case, one, other in zip(cases, found, expected, strict=True) if one != other]
    assert wrong == []
    assert sum(one is None for one in expected) > 20


def test_the_table_of_values_holds_in_the_browser(bare: Page) -> None:
    rows = json.loads((DATA / "axis_values.json").read_text(encoding="utf-8"))
    found = call(bare, "axis_grammar.js", VALUES, [(row["kind"], row["text"]) for row in rows])
    assert found == [row.get("values") for row in rows]


def test_texts_come_back_from_csv(bare: Page) -> None:
    lists = [["a", "b"], ["a, b", "c"], ['say "x"', "y"], ["ä b", "  c"], [""], ["a\nb", "c"]]
    script = "return argument.map((texts) => [module.asText(texts), module.textsOf(module.asText(texts))]);"
    for texts, (text, again) in zip(lists, call(bare, "axis_grammar.js", script, lists), strict=True):
        assert again == [one.strip() for one in texts]
        assert texts_of(text) == tuple(again)


COUNTED = """
const known = new Map(argument.axes.map((one) => [one.id, one]));
const form = { prompt: argument.prompt ?? "", negative_prompt: "", steps: 20, n_iter: 1, width: 500, height: 500, images: 2, checkpoint: "mini" };
const size = module.sizeOf(module.planOf(argument.plan), (id) => known.get(id) ?? null, form, argument.options ?? []);
return [size, module.secondsOf(size, form, { mini: 2 })];
"""  # noqa: E501


def counted(page: Page, plan: dict[str, Any], **more: Any) -> Any:
    return call(page, "experiment_plan.js", COUNTED, {"axes": [*AXES], "plan": plan, **more})


def axis(name: str, values: str | list[str]) -> dict[str, Any]:
    return {"id": name, "values": values}


def test_a_plan_is_counted_with_its_time(bare: Page) -> None:
    axes = [axis("cfg_scale", "4-9 [3]"), axis("steps", "10,30"), axis("checkpoint", ["mini.safetensors", "other"])]
    size, seconds = counted(bare, {"kind": "xyz", "axes": axes})
    assert size["sizes"] == [3, 2, 2]
    assert size["total"] == 12
    assert size["loads"] == {"label": "Checkpoint name", "count": 2}
    assert size["steps"] == 12 * 20
    assert seconds == pytest.approx(2 * 240 * 2 * 0.25)


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ([axis("cfg_scale", "4, x")], "“x” is neither a number"),
        ([axis("steps", "1.5")], "“1.5” is neither a whole number"),
        ([axis("gone", "1")], "There is no axis “gone”"),
        ([axis("prompt_sr", [])], "Prompt S/R has no values."),
        ([axis("seed", "1-200"), axis("steps", "1-100")], "20000 pictures are too many"),
    ],
)
def test_what_is_wrong_is_said_at_its_axis(bare: Page, axes: list[dict[str, Any]], said: str) -> None:
    size, _ = counted(bare, {"kind": "xyz", "axes": axes})
    assert size["faults"][-1].startswith(said)


@pytest.mark.parametrize(
    ("kind", "values", "prompt", "total"),
    [
        ("matrix", {}, "mist | sun | rain", 4),
        ("matrix", {}, "mist", 1),
        ("lines", {"text": "a fox\n\n--prompt b --steps 3\n"}, "", 2),
        ("loopback", {"loops": 6}, "", 6),
        ("other", {}, "", None),
    ],
)
def test_other_kinds_are_counted(bare: Page, kind: str, values: dict[str, Any], prompt: str, total: int | None) -> None:
    options = {
        "matrix": [{"name": "which", "kind": "choice", "value": "positive"}],
        "lines": [{"name": "text", "kind": "text", "value": ""}],
        "loopback": [{"name": "loops", "kind": "number", "value": 4}],
    }
    plan = {"kind": kind, "script": "s", "values": {"s": values}}
    size, _ = counted(bare, plan, prompt=prompt, options=options.get(kind, []))
    assert size["total"] == total


def test_lines_that_are_no_commands_are_told_by_their_number(bare: Page) -> None:
    text = 'a fox\na fox --steps 3\n--prompt "a fox --steps 3\n--prompt "x" --stps 4\n--prompt "x" --steps 4'
    found = call(bare, "experiment_plan.js", "return module.wrongLines(argument).map(([at]) => at);", text)
    assert found == [2, 3, 4]


def test_a_plan_comes_back_from_what_was_sent(bare: Page) -> None:
    plans = [
        {"kind": "xyz", "axes": [axis("cfg_scale", "4-9 [3]"), None], "legend": False, "vary": [True, False, False]},
        {"kind": "matrix", "script": "prompt matrix", "values": {"put_at_start": True}},
    ]
    script = "return argument.map((plan) => module.sentPlan(module.planFrom(plan)));"
    xyz, matrix = call(bare, "experiment_plan.js", script, plans)
    assert xyz["axes"] == [axis("cfg_scale", "4-9 [3]")]
    assert xyz["legend"] is False
    assert xyz["vary"] == [True, False, False]
    assert matrix == plans[1]


def test_a_plot_has_the_axes_that_are_used_and_its_sheet_names_it(bare: Page) -> None:
    unused = {"label": "", "values": [""]}
    cell = {"at": [0, 0, 0], "state": "there", "picture": "p", "infotext": "a\nSeed: 3, Size: 64x32"}
    plots = [
        {"id": "a", "axes": [{"label": "CFG", "values": ["4.0", "6.5"]}, unused, unused], "cells": [cell]},
        {"id": "b", "axes": [unused, unused, {"label": "Seed", "values": ["1"]}], "cells": []},
        {"id": "c", "axes": [unused, unused, unused], "cells": [cell, {**cell, "at": [1, 0, 0]}]},
    ]
    script = """return [
      argument.map((plot) => module.sheetOf(plot)).map((one) => [one.axes.map((axis) => axis.values), one.aspect]),
      ["plot-1-sheets-00ff", "plot/0", ""].map((job) => module.plotOf({ job })),
    ];"""
    sheets, names = call(bare, "sheet_data.js", script, plots)
    assert sheets == [[[["4", "6.5"]], 2], [[[""], [""], ["1"]], 1], [[["1", "2"]], 2]]
    assert names == ["plot-1", None, None]


SHEET = """
const { SheetCells } = await import("%s/sheet_cells.js"); const { sheetOf } = await import("%s/sheet_data.js");
const cells = new SheetCells({ chosen: () => {}, extend: () => {} });
document.getElementById("stage").replaceChildren(cells.element);
const plot = { id: "one", title: "", plan: { kind: "xyz" }, axes: argument.map((n, at) => ({ label: "XYZ"[at], values: Array.from({ length: n }, (_, i) => String(i)) })), cells: [] };
for (let x = 0; x < argument[0]; x += 1) for (let y = 0; y < argument[1]; y += 1) plot.cells.push({ at: [x, y, 0], state: "there", picture: "picture/a", thumb: `picture/${x}/${y}`, infotext: "" });
cells.show(sheetOf(plot), { z: 0, marks: [], step: "", share: 0, canExtend: true });
window.cells = cells;
return cells.cells.childElementCount;
""".replace("%s", "http://bare.test/static")  # noqa: E501


def test_a_sheet_of_a_thousand_cells_draws_those_in_view(bare: Page) -> None:
    assert call(bare, "sheet_cells.js", SHEET, [3, 3]) == 9
    drawn = call(bare, "sheet_cells.js", SHEET, [40, 25])
    assert 60 < drawn < 250
    bare.locator(".s-cell").first.focus()
    for _ in range(3):
        bare.keyboard.press("PageDown")
        bare.keyboard.press("End")
    assert bare.evaluate("document.activeElement.dataset.at") == "39,24"
    assert bare.locator(".s-cell").count() < 250
    assert bare.locator(".s-heads > span").last.text_content() == "39"


def test_zooming_keeps_what_is_under_the_pointer(bare: Page) -> None:
    call(bare, "sheet_cells.js", SHEET, [40, 25])
    under = "() => document.elementsFromPoint(400, 300).find((one) => one.matches('.s-cell')).dataset.at"
    before = bare.evaluate(under)
    bare.evaluate("window.cells.zoomBy(2, { x: 400, y: 300 })")
    column, row = map(int, bare.evaluate(under).split(","))
    was_column, was_row = map(int, before.split(","))
    assert abs(column - was_column) <= 1
    assert abs(row - was_row) <= 1
