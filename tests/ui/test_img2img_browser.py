"""The tab img2img in a real browser: a picture is dropped, sent, painted over, and arrives as request, to the pixel."""

from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.ui.driving import eventually, generate, picture
from tests.ui.fakes import FakeEngine
from webui.domain.request import Img2Img

STRIPES = Image.fromarray(np.random.default_rng(2).integers(0, 256, (96, 128, 3), dtype=np.uint8))


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name="img2img").first.click()
    expect(page.locator("#img2img_generate")).to_be_visible()
    page.locator("#mode_img2img").get_by_role("tab", name=name, exact=True).click()


def asked(engine: FakeEngine) -> Img2Img:
    task = engine.asked[-1].task
    assert isinstance(task, Img2Img)
    return task


def submitted(page: Page, engine: FakeEngine, count: int) -> None:
    """Wait for the job of that number: until then the page still shows how the one before it ended."""
    eventually(page, lambda: len(engine.asked) == count)


def test_a_dropped_picture_is_the_start(page: Page, engine: FakeEngine, tmp_path: Path) -> None:
    file = tmp_path / "stripes.png"
    STRIPES.save(file)
    open_tab(page, "img2img")
    page.locator("#img2img_generate").click()
    expect(page.locator("#img2img_status .error")).to_contain_text("Drop a picture first")
    page.locator("#img2img_image input[type=file]").set_input_files(file)
    expect(page.locator("#img2img_image img")).to_be_visible()
    page.locator("#img2img_detect_image_size_btn").click()
    expect(page.locator("#img2img_height input[type=number]")).to_have_value("96")
    page.locator("#img2img_prompt textarea").fill("a dog")
    page.locator("#img2img_generate").click()
    expect(page.locator("#img2img_status .done")).to_contain_text("1 picture")
    request = engine.asked[-1]
    assert (request.prompt, request.width, request.height) == ("a dog", 128, 96)
    assert asked(engine).image.open().tobytes() == STRIPES.tobytes()
    assert (asked(engine).image_cfg_scale, asked(engine).inpainting) == (1.5, None)


def test_a_sub_tab_shows_its_own_without_asking_the_server(page: Page) -> None:
    """Answers of the server could arrive in another order than the clicks."""
    open_tab(page, "img2img")
    page.wait_for_timeout(1000)  # what the page asks for when it is loaded
    page.route("**/gradio_api/**", lambda route: route.abort())
    masked, margins = page.locator("#img2img_inpaint_full_res"), page.locator("#outpaint_left")
    for name, has_mask, has_margins in (
        ("Inpaint upload", True, False),
        ("Outpaint", False, True),
        ("img2img", False, False),
        ("Inpaint", True, False),
    ):
        open_tab(page, name)
        expect(masked).to_be_visible(visible=has_mask)
        expect(margins).to_be_visible(visible=has_margins)


def draw_a_line(page: Page, canvas: Locator) -> None:
    """One short stroke over the middle of a canvas."""
    place = canvas.bounding_box()
    assert place is not None
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    page.mouse.move(x - 10, y)
    page.mouse.down()
    page.mouse.move(x + 10, y, steps=4)
    page.mouse.up()
    page.wait_for_timeout(500)


def test_a_sent_picture_is_painted_over_and_arrives_unchanged(page: Page, engine: FakeEngine) -> None:
    page.locator("#txt2img_width input[type=number]").fill("256")
    page.locator("#txt2img_height input[type=number]").fill("256")
    generate(page, "a cat to paint")
    picture(page)
    page.locator("#txt2img_send_to_inpaint").click()
    canvas = page.locator("#img2maskimg canvas").first
    expect(canvas).to_be_visible()
    expect(page.locator("#img2img_prompt textarea")).to_have_value("a cat to paint")
    page.wait_for_timeout(2000)  # the canvas fades in, and takes no strokes before
    page.locator("#img2img_generate").click()
    expect(page.locator("#img2img_status .error")).to_contain_text("Nothing is masked yet")
    draw_a_line(page, canvas)
    page.locator("#img2img_generate").click()
    expect(page.locator("#img2img_status .done")).to_contain_text("1 picture")
    task = asked(engine)
    assert task.inpainting is not None
    painted = task.inpainting.mask.open().getchannel("A")
    assert task.image.open().getcolors() == [(256 * 256, (214, 90, 90))]
    assert painted.size == (256, 256)
    assert painted.getpixel((128, 128)) == 255
    assert painted.getpixel((5, 5)) == 0


def test_an_uploaded_mask_and_margins_become_their_parts(page: Page, engine: FakeEngine, tmp_path: Path) -> None:
    file, mask = tmp_path / "stripes.png", tmp_path / "mask.png"
    STRIPES.save(file)
    Image.new("L", STRIPES.size, 255).save(mask)
    open_tab(page, "Inpaint upload")
    page.locator("#img_inpaint_base input[type=file]").set_input_files(file)
    page.locator("#img_inpaint_mask input[type=file]").set_input_files(mask)
    expect(page.locator("#img_inpaint_mask img")).to_be_visible()
    page.locator("#img2img_inpaint_full_res").get_by_text("Only masked").click()
    page.locator("#img2img_generate").click()
    expect(page.locator("#img2img_status .done")).to_contain_text("1 picture")
    made = asked(engine).inpainting
    assert made is not None
    assert (made.area, made.padding, made.mask_blur_x, made.content) == ("masked", 32, 4, "original")
    open_tab(page, "Outpaint")
    page.locator("#img_outpaint_base input[type=file]").set_input_files(file)
    expect(page.locator("#img_outpaint_base img")).to_be_visible()
    page.locator("#img2img_generate").click()
    submitted(page, engine, 2)
    expect(page.locator("#img2img_status .done")).to_contain_text("1 picture")
    grown = asked(engine).outpainting
    assert grown is not None
    assert (grown.right, grown.left, grown.content) == (128, 0, "fill")


def test_a_picture_dropped_on_the_canvas_arrives_to_the_pixel(
    page: Page,
    engine: FakeEngine,
    tmp_path: Path,
) -> None:
    file = tmp_path / "stripes.png"
    STRIPES.save(file)
    open_tab(page, "Inpaint")
    canvas = page.locator("#img2maskimg canvas").first
    expect(canvas).to_be_visible()
    page.locator("#img2maskimg input[type=file]").first.set_input_files(file)
    page.wait_for_timeout(2500)  # the canvas takes its size from the picture
    place = canvas.bounding_box()
    assert place is not None
    page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    page.wait_for_timeout(500)
    page.locator("#img2img_generate").click()
    expect(page.locator("#img2img_status .done")).to_contain_text("1 picture")
    assert asked(engine).image.open().tobytes() == STRIPES.tobytes()
    assert asked(engine).inpainting is not None


def painted_once(page: Page, tab: str, canvas: str, file: Path) -> None:
    """Drop the picture on a canvas and draw one short line over its middle."""
    STRIPES.save(file)
    open_tab(page, tab)
    surface = page.locator(f"{canvas} canvas").first
    expect(surface).to_be_visible()
    page.locator(f"{canvas} input[type=file]").first.set_input_files(file)
    page.wait_for_timeout(2500)  # the canvas takes its size from the picture
    draw_a_line(page, surface)


def test_a_sketch_is_the_start_with_its_colours(page: Page, engine: FakeEngine, tmp_path: Path) -> None:
    painted_once(page, "Sketch", "#img2img_sketch", tmp_path / "stripes.png")
    expect(page.locator("#img2img_mask_alpha")).to_be_hidden()
    page.locator("#img2img_generate").click()
    submitted(page, engine, 1)
    expect(page.locator("#img2img_status .done")).to_contain_text("1 picture")
    assert asked(engine).inpainting is None
    start = asked(engine).image.open()
    assert start.getpixel((64, 48)) == (255, 255, 255)
    changed = np.any(np.asarray(start) != np.asarray(STRIPES), axis=-1)
    assert 0 < changed.mean() < 0.5
    assert not changed[:8].any()


def test_the_paint_of_an_inpaint_sketch_is_also_its_mask(page: Page, engine: FakeEngine, tmp_path: Path) -> None:
    painted_once(page, "Inpaint sketch", "#inpaint_sketch", tmp_path / "stripes.png")
    page.locator("#img2img_mask_blur input[type=number]").fill("0")
    page.locator("#img2img_mask_alpha input[type=number]").fill("40")
    page.locator("#img2img_generate").click()
    submitted(page, engine, 1)
    expect(page.locator("#img2img_status .done")).to_contain_text("1 picture")
    made = asked(engine).inpainting
    assert made is not None
    start, mask = asked(engine).image.open(), made.mask.open()
    assert (mask.mode, mask.getpixel((64, 48)), mask.getpixel((5, 5))) == ("L", 153, 0)
    assert start.getpixel((5, 5)) == STRIPES.getpixel((5, 5))
    faded = np.asarray(STRIPES)[48, 64] * 0.4 + 255 * 0.6
    assert np.abs(np.asarray(start)[48, 64] - faded).max() <= 1
