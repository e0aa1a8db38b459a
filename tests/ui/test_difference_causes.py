"""Why a picture differs from itself made again: what the scripts make of differences that a test draws."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.ui.bare import bare_page, call

SIDE = 64
LOOK = """
const { side, change } = argument;
const picture = (edit) => {
  const data = new Uint8ClampedArray(4 * side * side);
  for (let y = 0; y < side; y++) for (let x = 0; x < side; x++) {
    const at = 4 * (y * side + x);
    const inside = (x - 30) ** 2 + (y - 34) ** 2 < 300;
    data.set([inside ? 220 : 30, inside ? 40 : 60, inside ? 30 : 200, 255], at);
    edit(data, at, x, y);
  }
  return new ImageData(data, side, side);
};
const edits = {
  nothing: () => {},
  rounding: (data, at, x, y) => { if ((x + y) % 9 === 0) data[at] += 2; },
  colours: (data, at) => { data[at] += 4; data[at + 2] -= 5; },
  outlines: (data, at, x, y) => {
    const isNew = (x - 33) ** 2 + (y - 34) ** 2 < 300;
    if (isNew && (x - 30) ** 2 + (y - 34) ** 2 >= 300) data.set([220, 40, 30], at);
  },
  another: (data, at, x, y) => { data.set((x - 8) ** 2 + (y - 8) ** 2 < 300 ? [20, 230, 40] : [200, 190, 60], at); },
};
const first = picture(edits.nothing);
const second = change === "size" ? new ImageData(8, 8) : picture(edits[change]);
return module.lookOf(first, second).kind;
"""


@pytest.fixture(scope="module")
def bare(browser: Browser) -> Iterator[Page]:
    with bare_page(browser) as page:
        yield page


def causes(page: Page, kind: str, differing: list[dict[str, str]], **more: Any) -> tuple[list[str], list[str]]:
    """Names of the causes, and of what is ruled out."""
    script = "return module.causesOf({ kind: argument.kind }, argument.differing, argument.more);"
    found = call(page, "difference_causes.js", script, {"kind": kind, "differing": differing, "more": more})
    return [one["name"] for one in found["causes"]], [one["name"] for one in found["ruledOut"]]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("nothing", "same"), ("rounding", "rounding"), ("colours", "even"), ("outlines", "moved"), ("another", "other"),
        ("size", "size"),
    ],
)  # fmt: skip
def test_a_difference_is_told_by_its_look(bare: Page, change: str, kind: str) -> None:
    assert call(bare, "difference_causes.js", LOOK, {"side": SIDE, "change": change}) == kind


def test_what_the_files_tell_comes_before_what_the_difference_looks_like(bare: Page) -> None:
    changed = [{"key": "Model hash", "first": "aa", "second": "bb"}, {"key": "RNG", "first": "NV", "second": ""}]
    found, out = causes(bare, "other", changed, notices=["no file ink"], isForeign=True)
    assert found == [
        "Model", "Seed and noise source", "Not read", "Seed and noise source", "Another program",
    ]  # fmt: skip
    assert out == ["VAE", "Precision and device"]


def test_a_cause_that_the_files_tell_is_never_ruled_out(bare: Page) -> None:
    kinds = ("rounding", "even", "moved", "other")
    for kind in kinds:
        told = {"key": "Sampler", "first": "Euler", "second": "Heun"}
        found, out = causes(bare, kind, [told, {"key": "VAE", "first": "a", "second": "b"}])
        assert {"Sampler, schedule, steps", "VAE"} <= set(found)
        assert not {"Sampler, schedule, steps", "VAE"} & set(out)
    silent = [{"key": "CFG scale", "first": "5", "second": "5.0"}, {"key": "Model hash", "first": "", "second": "aa"}]
    assert causes(bare, "rounding", silent)[0] == ["Precision and device"]
    assert causes(bare, "same", [{"key": "Version", "first": "1", "second": "2"}]) == ([], [])


def test_a_file_with_losses_is_named_first_for_small_differences(bare: Page) -> None:
    for kind in ("rounding", "even"):
        assert causes(bare, kind, [], isLossy=True)[0][0] == "The file's own loss"
        assert causes(bare, kind, [])[0][0] != "The file's own loss"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("9 3, 1\n0", {"levels": [9, 3, 1, 0]}), ("9 x 0", {"place": 2, "why": "number"}),
        ("4", {"place": 1, "why": "few"}),
        ("4 4 0", {"place": 2, "why": "falls"}), ("4 -1", {"place": 2, "why": "range"}),
        ("20000 1", {"place": 1, "why": "range"}),
    ],
)  # fmt: skip
def test_a_typed_list_of_levels_is_read_or_its_fault_found(bare: Page, text: str, told: dict[str, Any]) -> None:
    assert call(bare, "schedule_levels.js", "return module.read(argument);", text) == told
