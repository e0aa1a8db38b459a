"""What a person does with the canvas on the whole page, in a real browser; each test is a sentence they would say."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Response, expect

from tests.ui.canvas_page import stroke
from tests.ui.driving import eventually, generate
from tests.ui.fakes import FakeEngine
from tests.ui.staying import Staying
from webui.domain.inpainting import Inpainting
from webui.domain.request import Img2Img
from webui.imaging.sketch import painted_over

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
PHOTO = Image.fromarray(np.random.default_rng(2).integers(0, 256, (192, 256, 3), dtype=np.uint8))

KEPT_WITH_MASK = """() => new Promise((done) => {
  const opening = indexedDB.open("webui_canvas");
  opening.onsuccess = () => {
    const asked = opening.result.transaction("documents").objectStore("documents").getAll();
    asked.onsuccess = () => {
      opening.result.close();
      done(asked.result.some((one) => one.mask.tiles.size > 0));
    };
  };
})"""


@pytest.fixture
def page(page_that_stays: Page) -> Page:
    return page_that_stays


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def go(page: Page, tab: str) -> None:
    page.get_by_role("tab", name=tab, exact=True).click()
    expect(page.locator("#img2maskimg .canvas-view")).to_be_visible()


def open_picture(page: Page, image: Image.Image = PHOTO) -> None:
    with page.expect_file_chooser() as chooser:
        page.locator("#img2maskimg").get_by_role("button", name="Open a picture").first.click()
    chooser.value.set_files({"name": "photo.png", "mimeType": "image/png", "buffer": png(image)})
    expect(page.locator("#img2img_image")).to_be_visible()


def tool(page: Page, name: str) -> None:
    page.get_by_role("toolbar", name="Tools of the canvas").get_by_role("button", name=name, exact=True).click()


def source(page: Page) -> None:
    """Back from the result to what it was made from."""
    page.get_by_role("radio", name="Source").click()
    expect(page.locator("#img2maskimg .canvas-view")).to_be_visible()


def submitted(page: Page, engine: FakeEngine, count: int = 1) -> Img2Img:
    """Press Generate and wait for the job of that number."""
    page.locator("#txt2img_generate").click()
    eventually(page, lambda: len(engine.asked) == count)
    task = engine.asked[-1].task
    assert isinstance(task, Img2Img)
    return task


def inpainting(task: Img2Img) -> Inpainting:
    assert task.inpainting is not None
    return task.inpainting


def mask(task: Img2Img) -> Pixels:
    return np.asarray(inpainting(task).mask.open())


def test_i_mask_two_places_take_the_second_back_and_only_the_first_is_repainted(page: Page, engine: FakeEngine) -> None:
    go(page, "Inpaint")
    open_picture(page)
    stroke(page, (50, 50), (90, 50))
    stroke(page, (200, 150), (220, 150))
    page.keyboard.press("Control+z")
    task = submitted(page, engine)
    assert task.image.open().tobytes() == PHOTO.tobytes()
    painted = mask(task)
    assert painted.shape == (192, 256)
    assert set(np.unique(painted)) == {0, 255}
    assert painted[50, 70] == 255
    assert painted[150, 210] == 0


def test_it_says_what_is_missing_before_a_picture_and_before_a_mask(page: Page, engine: FakeEngine) -> None:
    go(page, "Inpaint")
    page.locator("#txt2img_generate").click()
    expect(page.get_by_text("Drop a picture first").first).to_be_visible()
    open_picture(page)
    page.locator("#txt2img_generate").click()
    expect(page.get_by_text("Nothing is masked yet: paint over what shall change").first).to_be_visible()
    assert engine.asked == []


def test_i_load_a_mask_that_i_made_elsewhere(page: Page, engine: FakeEngine) -> None:
    grey = Image.fromarray(np.random.default_rng(4).integers(0, 256, (192, 256), dtype=np.uint8))
    go(page, "Inpaint")
    open_picture(page)
    tool(page, "Layers and brush")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Load a mask").click()
    chooser.value.set_files({"name": "mask.png", "mimeType": "image/png", "buffer": png(grey)})
    expect(page.get_by_role("button", name="Undo", exact=True)).to_be_enabled()
    assert mask(submitted(page, engine)).tobytes() == grey.tobytes()


def colour(page: Page, value: str) -> None:
    tool(page, "Layers and brush")
    page.get_by_label("Colour", exact=True).fill(value)
    page.keyboard.press("Escape")


def test_i_sketch_on_a_picture_and_it_starts_from_my_colours(page: Page, engine: FakeEngine) -> None:
    go(page, "img2img")
    open_picture(page)
    colour(page, "#2040c0")
    stroke(page, (60, 60), (160, 60))
    task = submitted(page, engine)
    started = np.asarray(task.image.open())
    assert started[60, 110].tolist() == [0x20, 0x40, 0xC0]
    assert np.array_equal(started[120:], np.asarray(PHOTO)[120:])
    assert task.inpainting is None


def test_i_sketch_while_inpainting_and_only_there_it_changes(page: Page, engine: FakeEngine) -> None:
    go(page, "Inpaint")
    open_picture(page)
    tool(page, "Paint with colours")
    colour(page, "#20c040")
    stroke(page, (60, 60), (160, 60))
    task = submitted(page, engine)
    painted = mask(task)
    assert painted[60, 110] == 255
    assert painted[150, 110] == 0
    assert np.asarray(task.image.open())[60, 110].tolist() == pytest.approx([0x20, 0xC0, 0x40], abs=40)


def test_i_drag_the_frame_and_the_picture_grows_there(page: Page, engine: FakeEngine) -> None:
    go(page, "img2img")
    open_picture(page)
    tool(page, "Outpaint: grow the picture")
    handle = page.get_by_role("slider", name="Right edge").bounding_box()
    picture = page.locator("#img2img_image").bounding_box()
    assert handle is not None
    assert picture is not None
    scale = picture["width"] / 256
    x, y = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 127 * scale, y, steps=6)
    page.mouse.up()
    expect(page.locator(".canvas-grown")).to_have_text("384 × 192")
    task = submitted(page, engine)
    assert task.outpainting is not None
    margins = task.outpainting
    assert (margins.left, margins.top, margins.right, margins.bottom) == (0, 0, 128, 0)


def paste(page: Page, image: Image.Image) -> None:
    page.evaluate(
        """(text) => {
          const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
          const clipboardData = new DataTransfer();
          clipboardData.items.add(new File([bytes], "image.png", { type: "image/png" }));
          document.dispatchEvent(new ClipboardEvent("paste", { clipboardData, cancelable: true, bubbles: true }));
        }""",
        base64.b64encode(png(image)).decode(),
    )


def test_i_paste_a_picture(page: Page, engine: FakeEngine) -> None:
    go(page, "img2img")
    paste(page, PHOTO)
    expect(page.locator("#img2img_image")).to_be_visible()
    assert submitted(page, engine).image.open().tobytes() == PHOTO.tobytes()


def test_painting_asks_the_server_nothing(page: Page) -> None:
    go(page, "Inpaint")
    open_picture(page)
    page.wait_for_timeout(1500)  # what the page asks for when a tab is opened
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if not request.url.startswith("blob:") else None)
    for row in (40, 80, 120):
        stroke(page, (40, row), (200, row))
    page.keyboard.press("Control+z")
    page.keyboard.press("i")
    page.mouse.wheel(0, -300)
    page.wait_for_timeout(1500)
    assert asked == []


@pytest.mark.usefixtures("opened_anew")  # what the browser keeps of a canvas is empty at first
def test_my_mask_is_there_after_a_run_and_after_a_reload(page: Page, engine: FakeEngine) -> None:
    go(page, "Inpaint")
    open_picture(page)
    stroke(page, (50, 50), (90, 50))
    first = submitted(page, engine)
    again = submitted(page, engine, 2)
    eventually(page, lambda: bool(page.evaluate(KEPT_WITH_MASK)))  # it is kept a moment after the last change
    page.reload()
    go(page, "Inpaint")
    expect(page.locator("#img2img_image")).to_be_visible()
    reloaded = submitted(page, engine, 3)
    for task in (again, reloaded):
        assert mask(task).tobytes() == mask(first).tobytes()
        assert task.image == first.image


def test_i_upload_a_picture_once_however_often_i_generate(page: Page, engine: FakeEngine) -> None:
    go(page, "Inpaint")
    open_picture(page)
    stroke(page, (50, 50), (90, 50))
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if "/upload" in request.url else None)
    submitted(page, engine, 1)
    assert len(sent) == 2
    submitted(page, engine, 2)
    assert len(sent) == 2
    source(page)
    stroke(page, (50, 100), (90, 100))
    submitted(page, engine, 3)
    assert len(sent) == 3


def test_what_i_see_of_my_sketch_is_what_the_job_starts_from(page: Page, engine: FakeEngine) -> None:
    go(page, "img2img")
    open_picture(page)
    stroke(page, (30, 30), (200, 120), (60, 160))
    shown: str = page.locator(".canvas-paint").evaluate("(canvas) => canvas.toDataURL()")
    paint = Image.open(io.BytesIO(base64.b64decode(shown.partition(",")[2])))
    assert (paint.mode, paint.size) == ("RGBA", PHOTO.size)
    seen = painted_over(PHOTO, [paint])
    started = submitted(page, engine).image.open()
    assert np.abs(np.asarray(seen, np.int16) - np.asarray(started, np.int16)).max() <= 3


def test_i_send_the_result_to_inpaint_and_put_the_next_back_in_its_place(page: Page, engine: FakeEngine) -> None:
    generate(page, "a cat to paint")
    expect(page.locator("#txt2img_gallery .plane .now")).to_have_attribute("alt", "a cat to paint")
    page.locator("#stage").get_by_role("button", name="Send to inpaint").click()
    expect(page.locator("#img2img_image")).to_be_visible()
    width = page.locator("#img2img_image").evaluate("(image) => image.naturalWidth")
    stroke(page, (0.4 * width, 100), (0.6 * width, 100))
    task = submitted(page, engine, 2)
    assert task.image.width == width
    first = mask(task)
    source(page)
    tool(page, "Layers and brush")
    page.get_by_role("button", name="Use the result as the source").click()
    page.keyboard.press("Escape")
    assert mask(submitted(page, engine, 3)).tobytes() == first.tobytes()


@pytest.mark.usefixtures("left_afterwards")
def test_files_that_i_did_not_upload_are_not_read(
    page: Page, staying: Staying, engine: FakeEngine, tmp_path: Path
) -> None:
    PHOTO.save(tmp_path / "secret.png")
    go(page, "img2img")
    page.evaluate(
        "(path) => (window.webui.canvas.value = async () => ({ picture: { path }, size: [256, 192] }))",
        str(tmp_path / "secret.png"),
    )
    answers: list[Response] = []

    def note(answer: Response) -> None:
        if "/gradio_api/run/" in answer.url:
            answers.append(answer)

    page.on("response", note)
    page.locator("#txt2img_generate").click()
    eventually(page, lambda: any("not uploaded here" in answer.text() for answer in answers))
    page.remove_listener("response", note)
    assert engine.asked == []
    staying.leave()  # what Gradio writes over the form after a refusal goes with it
