"""The canvas alone on a bare page: what people do with mouse, pen, fingers and keys."""

import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from tests.ui.accessibility import axe
from tests.ui.canvas_driving import PHOTO, command, drop, mask_of, paint_of, png_of, tool, value
from tests.ui.canvas_page import Site, spot, stroke, visiting


@pytest.fixture
def page(bare_canvas: Page) -> Page:
    return bare_canvas


def test_what_is_painted_lies_where_the_mouse_was_at_every_zoom(page: Page) -> None:
    drop(page, png_of(PHOTO))
    command(page, "size", 2)
    view = page.locator(".canvas-view").bounding_box()
    assert view is not None
    middle = (view["x"] + view["width"] / 2, view["y"] + view["height"] / 2)
    for wheel, drag in ((0, (0, 0)), (-400, (35, -20)), (-300, (-60, 31)), (900, (10, 10)), (-1500, (0, 0))):
        page.mouse.move(middle[0] + 20, middle[1] - 12)
        if wheel:
            page.mouse.wheel(0, wheel)
        page.mouse.down(button="middle")
        page.mouse.move(middle[0] + 20 + drag[0], middle[1] - 12 + drag[1], steps=3)
        page.mouse.up(button="middle")
        box = page.locator(".canvas-picture").bounding_box()
        assert box is not None
        scale = box["width"] / 200
        x, y = (middle[0] + 7 - box["x"]) / scale, (middle[1] - 5 - box["y"]) / scale
        page.mouse.click(middle[0] + 7, middle[1] - 5)
        rows, columns = np.nonzero(mask_of(page))
        assert abs(columns.mean() + 0.5 - x) < 1, (wheel, drag)
        assert abs(rows.mean() + 0.5 - y) < 1, (wheel, drag)
        tool(page, "Undo")


def test_undo_and_redo_by_keys(page: Page) -> None:
    drop(page, png_of(PHOTO))
    stroke(page, (30, 30), (90, 30))
    first = mask_of(page)
    stroke(page, (30, 100), (150, 100))
    both = mask_of(page)
    assert 0 < (first > 0).sum() < (both > 0).sum()
    page.keyboard.press("Control+z")
    assert np.array_equal(mask_of(page), first)
    page.keyboard.press("Control+z")
    assert not mask_of(page).any()
    page.keyboard.press("Control+Shift+z")
    page.keyboard.press("Control+Shift+z")
    assert np.array_equal(mask_of(page), both)


def test_keys_hold_tools_and_change_the_brush(page: Page) -> None:
    drop(page, png_of(PHOTO))
    page.locator(".canvas-view").focus()
    size = page.locator(".canvas-size output")
    before = int(size.inner_text())
    page.keyboard.press("]")
    assert int(size.inner_text()) > before
    page.keyboard.press("[")
    page.keyboard.press("[")
    assert int(size.inner_text()) < before
    for key, name in (("e", "Eraser"), ("r", "Rectangle"), ("l", "Lasso"), ("b", "Brush")):
        page.keyboard.press(key)
        expect(page.get_by_role("button", name=name, exact=True)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("i")
    assert mask_of(page).min() == 255
    page.keyboard.press("i")
    assert not mask_of(page).any()


def test_a_rectangle_and_a_dab_are_painted_without_a_mouse(page: Page) -> None:
    drop(page, png_of(PHOTO))
    page.locator(".canvas-view").focus()
    page.keyboard.press("r")
    page.keyboard.press("ArrowLeft")  # from the middle: (100, 75)
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    rows, columns = np.nonzero(mask_of(page))
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (75, 83, 92, 156)
    command(page, "clear")
    command(page, "size", 21)
    page.keyboard.press("b")
    page.keyboard.press("Enter")
    rows, columns = np.nonzero(mask_of(page))
    assert (round(rows.mean()), round(columns.mean())) == (82, 156)


def test_the_bar_is_one_stop_of_the_tab_key_and_arrows_go_through_it(page: Page) -> None:
    drop(page, png_of(PHOTO))
    bar = page.get_by_role("toolbar")
    assert bar.locator("button[tabindex='0']").count() == 1
    bar.get_by_role("button", name="Brush", exact=True).focus()
    page.keyboard.press("ArrowDown")
    expect(bar.get_by_role("button", name="Eraser")).to_be_focused()
    page.keyboard.press("Enter")
    expect(bar.get_by_role("button", name="Eraser")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Home")
    expect(bar.get_by_role("button", name="Mask: what shall change")).to_be_focused()
    for button in bar.get_by_role("button").all():
        assert button.get_attribute("aria-label")


def test_areas_add_and_erase(page: Page) -> None:
    drop(page, png_of(PHOTO))
    tool(page, "Rectangle")
    stroke(page, (20, 20), (120, 100))
    page.keyboard.down("Alt")
    stroke(page, (40, 40), (60, 60))
    page.keyboard.up("Alt")
    mask = mask_of(page)
    assert mask[30, 30] == 255
    assert mask[50, 50] == 0
    tool(page, "Lasso")
    stroke(page, (130, 20), (190, 20), (190, 80), (130, 80), (130, 22))
    assert mask_of(page)[50, 160] == 255


def test_fill_invert_and_clear(page: Page) -> None:
    drop(page, png_of(PHOTO))
    tool(page, "Fill")
    assert mask_of(page).min() == 255
    tool(page, "Invert the mask")
    assert not mask_of(page).any()
    stroke(page, (30, 30), (90, 30))
    painted = mask_of(page)
    tool(page, "Invert the mask")
    assert np.array_equal(mask_of(page), 255 - painted)
    tool(page, "Clear")
    assert not mask_of(page).any()
    tool(page, "Undo")
    tool(page, "Undo")
    assert np.array_equal(mask_of(page), painted)


def test_a_sketch_has_the_colour_that_was_chosen(page: Page) -> None:
    drop(page, png_of(PHOTO))
    page.evaluate("document.documentElement.dataset.mode = 'img2img'")
    command(page, "colour", "#2040c0")
    command(page, "size", 30)
    stroke(page, (50, 50), (120, 50))
    paint = paint_of(page)
    assert paint[50, 80].tolist() == [0x20, 0x40, 0xC0, 255]
    assert paint[100, 80].tolist() == [0, 0, 0, 0]
    assert "mask" not in value(page)


def test_the_dropper_takes_a_colour_from_the_picture(page: Page) -> None:
    plain = Image.new("RGB", (60, 60), (12, 200, 99))
    drop(page, png_of(plain))
    page.evaluate("document.documentElement.dataset.mode = 'img2img'")
    tool(page, "Take a colour from the picture")
    stroke(page, (30, 30), (31, 30))
    page.wait_for_function("JSON.parse(localStorage.webui_canvas_tools).colour === '#0cc863'")
    tool(page, "Brush")
    stroke(page, (30, 30), (32, 30))
    assert paint_of(page)[30, 31].tolist() == [12, 200, 99, 255]


def test_the_frame_is_dragged_typed_and_moved_by_keys(page: Page) -> None:
    drop(page, png_of(PHOTO))  # 200 x 150
    tool(page, "Outpaint: grow the picture")
    handle = page.get_by_role("slider", name="Right edge").bounding_box()
    picture = page.locator(".canvas-picture").bounding_box()
    assert handle is not None
    assert picture is not None
    scale = picture["width"] / 200
    x, y = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 62 * scale, y, steps=5)
    page.mouse.up()
    assert value(page)["frame"] == {"left": 0, "top": 0, "right": 64, "bottom": 2}
    expect(page.locator(".canvas-grown")).to_have_text("264 × 152")
    page.get_by_role("slider", name="Left edge").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    assert value(page)["frame"]["left"] == 72
    expect(page.get_by_role("slider", name="Left edge")).to_have_attribute("aria-valuenow", "72")
    page.get_by_role("spinbutton", name="Top").fill("100")
    page.get_by_role("spinbutton", name="Top").blur()
    assert (
        value(page)["frame"]["top"] % 8 == 0
        or value(page)["frame"]["top"] + value(page)["frame"]["bottom"] + 150 == 256
    )
    tool(page, "Undo")
    tool(page, "Undo")
    tool(page, "Undo")
    assert value(page)["frame"] == {"left": 0, "top": 0, "right": 64, "bottom": 2}
    page.get_by_role("button", name="Put the frame back").click()
    assert "frame" not in value(page)


def touch(page: Page, kind: str, *fingers: tuple[int, float, float]) -> None:
    page.evaluate(
        """([kind, fingers]) => {
          const view = document.querySelector(".canvas-view");
          view.setPointerCapture = () => {};
          for (const [pointerId, clientX, clientY] of fingers) {
            const button = kind === "pointermove" ? -1 : 0, place = { pointerId, clientX, clientY, button };
            view.dispatchEvent(new PointerEvent(kind, { ...place, pointerType: "touch", bubbles: true }));
          }
        }""",
        [kind, fingers],
    )


def test_two_fingers_zoom_and_take_the_stroke_back(page: Page) -> None:
    drop(page, png_of(PHOTO))
    (x, y), (far, low) = spot(page, 50, 50), spot(page, 150, 100)
    width = page.locator(".canvas-picture").bounding_box()
    touch(page, "pointerdown", (1, x, y))
    touch(page, "pointermove", (1, x + 20, y))
    touch(page, "pointerdown", (2, far, low))
    touch(page, "pointermove", (2, far + 100, low + 60))
    touch(page, "pointerup", (1, x, y), (2, far, low))
    after = page.locator(".canvas-picture").bounding_box()
    assert width is not None
    assert after is not None
    assert after["width"] > 1.2 * width["width"]
    assert not mask_of(page).any()
    shown = page.locator(".canvas-mask").evaluate(
        "(one) => one.hidden || one.getContext('2d').getImageData(0, 0, 200, 150).data.every((byte) => !byte)"
    )
    assert shown


def test_what_is_seen_of_a_mask_is_the_mask(page: Page) -> None:
    drop(page, png_of(PHOTO))
    command(page, "hardness", 0.5)
    stroke(page, (30, 30), (150, 90))
    command(page, "invert")
    seen = page.locator(".canvas-mask").evaluate(
        "(canvas) => [...canvas.getContext('2d').getImageData(0, 0, 200, 150).data].filter((_, at) => at % 4 === 3)"
    )
    assert seen == mask_of(page).ravel().tolist()


def test_the_mask_can_be_hatched_and_layers_hidden(page: Page) -> None:
    drop(page, png_of(PHOTO))
    stroke(page, (30, 30), (150, 90))
    tool(page, "Layers and brush")
    page.get_by_label("Hatch the mask").check()
    expect(page.locator(".canvas-view")).to_have_class(re.compile(r"\bhatched\b"))
    page.get_by_label("Show the mask").uncheck()
    expect(page.locator(".canvas-mask")).to_be_hidden()
    tool(page, "Layers and brush")  # closes the panel, which lies over the picture in so small a window
    stroke(page, (30, 130), (90, 130))  # painting shows it again
    expect(page.locator(".canvas-mask")).to_be_visible()
    assert mask_of(page)[130, 60] == 255


def test_keys_are_left_to_others_while_the_canvas_is_out_of_view(page: Page) -> None:
    drop(page, png_of(PHOTO))
    page.evaluate("document.documentElement.dataset.mode = 'txt2img'")
    page.evaluate("document.querySelector('.canvas').style.display = 'none'")
    page.evaluate("document.documentElement.dataset.mode = 'inpaint'")
    page.keyboard.press("e")
    page.evaluate("document.querySelector('.canvas').style.display = ''")
    expect(page.get_by_role("button", name="Brush", exact=True)).to_have_attribute("aria-pressed", "true")
    page.evaluate("document.documentElement.dataset.face = 'source'")
    page.keyboard.press("e")
    expect(page.get_by_role("button", name="Eraser", exact=True)).to_have_attribute("aria-pressed", "true")


def test_escape_closes_the_panel_and_goes_back_to_its_button(page: Page) -> None:
    drop(page, png_of(PHOTO))
    tool(page, "Layers and brush")
    page.get_by_label("Hardness").focus()
    page.keyboard.press("Escape")
    expect(page.get_by_role("group", name="Layers and brush")).to_be_hidden()
    expect(page.get_by_role("button", name="Layers and brush")).to_be_focused()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_nothing_hinders_those_who_see_or_move_otherwise(page: Page, theme: str) -> None:
    page.evaluate("(theme) => (document.documentElement.dataset.theme = theme)", theme)
    drop(page, png_of(PHOTO))
    tool(page, "Outpaint: grow the picture")
    assert axe(page, ".canvas") == []
    tool(page, "Layers and brush")
    assert axe(page, ".canvas") == []


def test_fingers_find_targets_of_44_pixels(phone_context: BrowserContext, canvas_site: Site) -> None:
    with visiting(phone_context, canvas_site, (390, 500)) as page:
        drop(page, png_of(PHOTO))
        tool(page, "Outpaint: grow the picture")
        targets = [
            *page.get_by_role("toolbar").get_by_role("button").all(),
            *page.get_by_role("slider", name="edge").all(),
        ]
        assert len(targets) > 15
        for target in targets:
            box = target.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= 44, target
