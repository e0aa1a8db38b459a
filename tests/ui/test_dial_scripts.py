"""What a stop of the dial changes in the form, and which stop a form stands at."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from extensions.speed_dial.kept_result import told
from extensions.speed_dial.ways import USUAL, Machine, stops
from tests.narrowing import untyped
from tests.ui.bare import bare_page, call

STOPS = [told(stop, None) for stop in stops(Machine("a CPU", eight_bits=("int8",)))]
NAMES = [untyped(stop)["name"] for stop in STOPS]
OPTIONS, USED = "#txt2img_extension_guidance_options", "#txt2img_extension_guidance_enable"
FRESH: dict[str, Any] = {
    **USUAL, "guidance.rescale": 0, "token_merging.hires_ratio": None, "steps": 20,
    "#txt2img_speed_enable": False, "#txt2img_guidance_enable": False, "#txt2img_token_merging_enable": False,
    USED: False, OPTIONS: {},
}  # fmt: skip
CHANGED = """
const { stops, values, usual, names } = argument;
let now = values;
const stood = [module.standing(stops, now, usual)];
for (const name of names) {
  now = { ...now, ...module.changesFor(stops.find((one) => one.name === name), now, usual) };
  stood.push(module.standing(stops, now, usual));
}
return { now, stood };
"""


@pytest.fixture(scope="module")
def bare(browser: Browser) -> Iterator[Page]:
    with bare_page(browser) as page:
        yield page


def after(page: Page, values: dict[str, Any], *names: str) -> tuple[dict[str, Any], list[str]]:
    """What the form holds when these stops were chosen one after the other, and where it stood each time."""
    asked = {"stops": STOPS, "values": values, "usual": FRESH, "names": names}
    found = call(page, "dial_choice.js", CHANGED, asked)
    return found["now"], found["stood"]


def test_a_form_stands_where_it_was_put_from_wherever_it_came(bare: Page) -> None:
    way = [name for one in NAMES for other in NAMES for name in (one, other)]
    now, stood = after(bare, FRESH, *way, NAMES[0])
    assert stood == [NAMES[0], *way, NAMES[0]]
    assert {name: now[name] for name in FRESH if name not in (OPTIONS, USED)} == {
        name: value for name, value in FRESH.items() if name not in (OPTIONS, USED)
    }


def test_what_waited_in_a_part_that_was_off_does_not_act(bare: Page) -> None:
    now, _ = after(bare, {**FRESH, "guidance.rescale": 0.7, OPTIONS: {"rescale": 0.5}}, "fastest")
    assert now["#txt2img_guidance_enable"] is True
    assert now["guidance.rescale"] == 0
    assert now[OPTIONS] == {"hypertile": {"unet": True}}


def test_what_was_on_stays_on(bare: Page) -> None:
    mine = {**FRESH, "guidance.rescale": 0.7, "#txt2img_guidance_enable": True, USED: True, OPTIONS: {"rescale": 0.5}}
    now, stood = after(bare, mine, "fastest", "exact")
    assert stood == ["exact", "fastest", "exact"]
    assert now["guidance.rescale"] == 0.7
    assert now["#txt2img_guidance_enable"] is True
    assert now[OPTIONS] == {"rescale": 0.5, "hypertile": {"unet": False}}


def test_a_form_without_the_extension_has_every_stop(bare: Page) -> None:
    without = {name: value for name, value in FRESH.items() if name not in (OPTIONS, USED)}
    now, stood = after(bare, without, "fastest")
    assert stood == ["exact", "fastest"]
    assert now.keys() == without.keys()


def test_a_value_of_another_kind_is_a_mix_of_its_own(bare: Page) -> None:
    for name, value in (("speed.block_cache", 0.11), ("speed.eight_bits", "fp8"), ("token_merging.ratio", 0.9)):
        part = f"#txt2img_{name.partition('.')[0]}_enable"
        assert after(bare, {**FRESH, name: value, part: True})[1] == [""]
        assert after(bare, {**FRESH, name: value})[1] == ["exact"], "its part is off"


@pytest.mark.parametrize(("low", "high"), [(1, 1.3), (0.8, 3.2), (1, 9), (1, 140)])
def test_marks_are_few_round_and_within_the_plot(bare: Page, low: float, high: float) -> None:
    found = json.loads(call(bare, "dial_plot.js", "return JSON.stringify(module.marks(...argument))", [low, high]))
    assert 1 <= len(found) <= 6
    assert low <= found[0] <= found[-1] <= high
