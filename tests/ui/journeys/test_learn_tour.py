"""What a person sees who has made no picture yet: the example run, the tour through it, and files taken along."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from tests.ui.accessibility import axe
from tests.ui.driving import visited_page
from tests.ui.house import House

STOPS = 10
VIEWS = ("run", "run", "scheduler", "run", "run", "run", "words", "words", "network", "png_info")


@pytest.fixture(scope="module")
def place(home: House) -> str:
    """The address of a page whose program has recorded nothing."""
    return f"{home.address}?tab=learn"


@pytest.fixture(scope="module")
def learn(shared_context: BrowserContext, place: str) -> Iterator[Page]:
    with visited_page(shared_context, place) as page:
        yield page


def rings_whole(page: Page) -> None:
    """What the card speaks of has its ring, and the card is whole in the window."""
    expect(page.locator(".learn-ringed")).to_have_count(1)
    card = page.locator("#learn_tour_card")
    expect(card).to_be_visible()
    expect(card).to_be_in_viewport(ratio=1)


def test_i_see_an_example_before_i_have_made_anything(learn: Page) -> None:
    expect(learn.locator(".learn-at")).to_have_text("Step 20 of 20")
    expect(learn.locator(".learn-of")).to_have_text("This is an example: a red circle on a blue background")
    expect(learn.get_by_role("button", name="Take my last picture apart")).to_be_visible()
    expect(learn.locator(".learn-tile")).to_have_count(4)
    red = learn.locator(".learn-tile:nth-child(3) canvas").evaluate(
        "(canvas) => [...canvas.getContext('2d').getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data]"
    )
    assert red[0] > 180 > 90 > max(red[1:3])


def test_i_take_the_run_along_as_a_file(learn: Page, tmp_path: Path) -> None:
    learn.get_by_label("What is exported").select_option("guidance")
    for button, name in (("Strip (PNG)", "run-guidance-20-steps.png"), ("Film (MP4)", "run-guidance-20-steps.mp4")):
        with learn.expect_download() as coming:
            learn.get_by_role("button", name=button).click()
        assert coming.value.suggested_filename == name
        coming.value.save_as(tmp_path / name)
    assert Image.open(tmp_path / "run-guidance-20-steps.png").size == (16 * 256, 2 * 256)
    assert (tmp_path / "run-guidance-20-steps.mp4").read_bytes()[4:8] == b"ftyp"


def test_i_am_led_through_learn_by_keys(learn: Page) -> None:
    learn.locator(".learn-head h1").click()
    learn.keyboard.press("t")
    for number, view in enumerate(VIEWS, 1):
        expect(learn.locator(".learn-tour-count")).to_have_text(f"{number} of {STOPS}")
        expect(learn.locator("#learn")).to_be_visible()
        expect(learn.locator(".own.learn")).to_have_attribute("data-view", view)
        rings_whole(learn)
        if number == 1:
            expect(learn.locator(".learn-at")).to_have_text("Step 1 of 20")
            assert axe(learn, "#learn") == []
        learn.keyboard.press("ArrowRight")
    learn.keyboard.press("ArrowLeft")
    expect(learn.locator(".learn-tour-count")).to_have_text(f"9 of {STOPS}")
    expect(learn.locator("#learn_tour_text")).to_contain_text("can leave it out")
    learn.keyboard.press("Escape")
    expect(learn.locator("#learn_tour_card")).to_be_hidden()
    expect(learn.locator(".learn-ringed")).to_have_count(0)
    expect(learn.locator("#learn_tour")).to_be_focused()


def test_it_goes_on_where_i_left_it_and_begins_anew_when_i_was_through(learn: Page) -> None:
    button = learn.locator("#learn_tour")
    expect(button).to_have_text(f"Tour, on at 9 of {STOPS}")
    button.click()
    expect(learn.locator(".learn-tour-count")).to_have_text(f"9 of {STOPS}")
    card = learn.get_by_role("dialog", name="The network itself")
    card.get_by_role("button", name="Next").click()
    learn.get_by_role("dialog", name="Make it again").get_by_role("button", name="Done").click()
    expect(button).to_have_text("Tour")
    button.click()
    expect(learn.locator(".learn-tour-count")).to_have_text(f"1 of {STOPS}")
    learn.get_by_role("button", name="Close the tour").click()
