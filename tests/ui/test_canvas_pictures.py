"""The canvas alone on a bare page: pictures and masks that come to it, and what would be sent of them."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.ui.canvas_driving import (
    PHOTO,
    RANDOM,
    command,
    drop,
    file_of,
    mask_of,
    paint_of,
    png_of,
    tool,
    value,
)
from tests.ui.canvas_page import Site, stroke
from tests.ui.driving import eventually
from webui.domain.images import Picture

KEPT = """async () => {
  const { kept } = await import("/canvas_kept.js");
  return (await kept())?.frame;
}"""


@pytest.fixture
def page(bare_canvas: Page) -> Page:
    return bare_canvas


def test_an_untouched_file_is_sent_as_it_is(page: Page) -> None:
    data = png_of(PHOTO)
    drop(page, data)
    sent = value(page)
    assert set(sent) == {"picture", "size"}
    assert sent["size"] == [200, 150]
    assert sent["picture"]["meta"] == {"_type": "gradio.FileData"}
    assert file_of(page, sent["picture"]) == data


def test_before_a_picture_is_there_it_says_how_to_open_one(page: Page) -> None:
    assert value(page) is None
    expect(page.get_by_text("Drop a picture here, or paste one.")).to_be_visible()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Open a picture").last.click()
    chooser.value.set_files({"name": "a b.png", "mimeType": "image/png", "buffer": png_of(PHOTO)})
    expect(page.get_by_text("Drop a picture here, or paste one.")).to_be_hidden()
    assert value(page)["picture"]["path"].endswith("/a_b.png")


def test_a_file_that_is_no_picture_is_refused_with_a_sentence(page: Page) -> None:
    drop(page, b"GIF89a but not really")
    assert page.evaluate("window.notices") == [
        "This browser cannot show that file as a picture. Save it as PNG, JPEG or WebP."
    ]
    assert value(page) is None


def test_a_pasted_picture_takes_the_place_of_the_first_and_undo_brings_that_back(page: Page) -> None:
    drop(page, png_of(PHOTO))
    drop(page, png_of(PHOTO.resize((64, 64))), event="paste")
    assert value(page)["size"] == [64, 64]
    tool(page, "Undo")
    assert value(page)["size"] == [200, 150]


def test_painting_asks_the_server_nothing_and_a_value_is_uploaded_once(page: Page, canvas_site: Site) -> None:
    drop(page, png_of(PHOTO))
    stroke(page, (30, 30), (90, 30))
    before, uploaded = len(canvas_site.asked), page.evaluate("window.sent.length")
    for row in range(40, 100, 20):
        stroke(page, (30, row), (150, row))
    tool(page, "Undo")
    page.mouse.wheel(0, -200)
    assert (len(canvas_site.asked), page.evaluate("window.sent.length")) == (before, uploaded)
    first = value(page)
    assert page.evaluate("window.sent.map((one) => one.name)") == ["photo.png", "mask.png"]
    assert value(page) == first
    assert page.evaluate("window.sent.length") == 2
    tool(page, "Redo")
    second = value(page)
    assert (second["picture"], second["mask"] == first["mask"]) == (first["picture"], False)
    tool(page, "Undo")
    assert value(page) == first
    assert page.evaluate("window.sent.length") == 3


def test_a_photo_that_lies_on_its_side_is_painted_where_it_is_seen(page: Page, tmp_path: Path) -> None:
    lying = Image.new("RGB", (120, 80), "white")
    lying.paste("black", (0, 0, 30, 30))  # after turning right: the upper right corner
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    lying.save(out, "JPEG", quality=95, exif=exif)
    drop(page, out.getvalue(), "image/jpeg", "photo.jpg")
    assert value(page)["size"] == [80, 120]
    command(page, "size", 20)
    stroke(page, (65, 15), (66, 15))
    mask = mask_of(page) > 0
    upright = np.asarray(Picture.of(Image.open(io.BytesIO(out.getvalue()))).open().convert("L"))
    assert mask.shape == upright.shape
    assert mask.any()
    assert upright[mask].max() < 60


def test_a_png_that_says_it_is_turned_has_one_size_in_browser_and_server(page: Page) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = png_of(PHOTO, exif=exif)
    drop(page, data)
    assert value(page)["size"] == [*Picture.of(Image.open(io.BytesIO(data))).open().size]


def test_a_very_large_picture_is_painted_undone_and_sent(page: Page) -> None:
    size = (8192, 4800)
    drop(page, png_of(Image.new("RGB", size, "gray"), compress_level=1))
    command(page, "size", 300)
    stroke(page, (1000, 1000), (7000, 4000))
    painted = mask_of(page)
    assert painted.shape == (4800, 8192)
    assert painted[2500, 4000] == 255
    tool(page, "Invert the mask")
    tool(page, "Fill")
    tool(page, "Undo")
    tool(page, "Undo")
    assert np.array_equal(mask_of(page), painted)
    assert page.evaluate("window.notices") == []


def test_a_picture_that_the_server_would_refuse_is_refused_at_once(page: Page) -> None:
    drop(page, png_of(Image.new("1", (8000, 5001))))
    assert page.evaluate("window.notices") == ["This picture has more than 40 megapixels. Make it smaller first."]


def load_mask(page: Page, data: bytes) -> None:
    tool(page, "Layers and brush")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Load a mask").click()
    chooser.value.set_files({"name": "mask.png", "mimeType": "image/png", "buffer": data})
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()


def test_a_loaded_mask_is_exact_and_white_is_repainted(page: Page) -> None:
    grey = Image.fromarray(RANDOM[..., 0])
    drop(page, png_of(PHOTO))
    load_mask(page, png_of(grey))
    assert np.array_equal(mask_of(page), RANDOM[..., 0])


def test_a_loaded_mask_is_brought_to_the_size_of_the_picture(page: Page) -> None:
    small = np.zeros((30, 40), np.uint8)
    small[:15] = 255
    drop(page, png_of(PHOTO))
    load_mask(page, png_of(Image.fromarray(small)))
    mask = mask_of(page)
    assert mask.shape == (150, 200)
    assert (mask[:70].min(), mask[80:].max()) == (255, 0)


def test_everything_is_there_again_after_a_reload(page: Page) -> None:
    drop(page, png_of(PHOTO))
    stroke(page, (30, 30), (150, 90))
    command(page, "palette")
    stroke(page, (30, 90), (150, 30))
    command(page, "frame")
    page.get_by_role("spinbutton", name="Left").fill("64")
    page.get_by_role("spinbutton", name="Left").blur()
    mask, paint, frame = mask_of(page), paint_of(page), value(page)["frame"]
    eventually(page, lambda: bool(page.evaluate(KEPT) == frame))  # some time after the last change
    page.reload()
    page.wait_for_function("document.documentElement.dataset.ready")
    assert np.array_equal(mask_of(page), mask)
    assert np.array_equal(paint_of(page), paint)
    assert value(page)["frame"] == frame
    assert file_of(page, value(page)["picture"]) == png_of(PHOTO)


def picture(canvas_site: Site, name: str, image: Image.Image) -> dict[str, Any]:
    canvas_site.pictures[name] = png_of(image)
    return {
        "id": f"job/{name}",
        "url": name,
        "kind": "inpaint",
        "grid": False,
        "width": image.width,
        "height": image.height,
    }


def send(page: Page, message: str, detail: Any) -> None:
    page.evaluate(
        "async ([name, detail]) => { window.bus.say(name, detail); await window.canvas.value(); }", [message, detail]
    )


def test_a_sent_picture_is_named_and_not_uploaded(page: Page, canvas_site: Site) -> None:
    page.evaluate("() => { window.tabs = []; window.bus.hear('tab:open', ({ tab }) => window.tabs.push(tab)); }")
    send(page, "picture:send", {"picture": picture(canvas_site, "made.png", PHOTO), "to": "inpaint"})
    assert value(page) == {"picture": {"id": "job/made.png"}, "size": [200, 150]}
    assert page.evaluate("[window.tabs, window.sent.length]") == [["inpaint"], 0]
    send(page, "picture:send", {"picture": picture(canvas_site, "other.png", PHOTO), "to": "upscale"})
    assert value(page)["picture"] == {"id": "job/made.png"}


def test_the_result_is_compared_in_place_and_becomes_the_source_below_the_same_mask(
    page: Page, canvas_site: Site
) -> None:
    drop(page, png_of(PHOTO))
    stroke(page, (30, 30), (150, 90))
    mask = mask_of(page)
    send(page, "job:picture", {"picture": picture(canvas_site, "result.png", PHOTO.rotate(180))})
    page.locator(".canvas-view").focus()
    page.keyboard.press("x")
    expect(page.locator(".canvas-result")).to_be_visible()
    assert page.locator(".canvas-result").bounding_box() == page.locator(".canvas-picture").bounding_box()
    expect(page.locator(".canvas-mask")).to_be_hidden()
    stroke(page, (30, 130), (150, 130))  # while the result is shown nothing is painted
    page.keyboard.press("x")
    expect(page.locator(".canvas-result")).to_be_hidden()
    assert np.array_equal(mask_of(page), mask)
    tool(page, "Layers and brush")
    page.get_by_role("button", name="Use the result as the source").click()
    page.wait_for_function("document.querySelector('.canvas-picture').src.endsWith('result.png')")
    assert value(page)["picture"] == {"id": "job/result.png"}
    assert np.array_equal(mask_of(page), mask)
    tool(page, "Undo")
    assert file_of(page, value(page)["picture"]) == png_of(PHOTO)


def test_a_dragged_picture_of_the_strip_lands_on_the_canvas(page: Page, canvas_site: Site) -> None:
    page.evaluate(
        """async (picture) => {
          const transfer = new DataTransfer();
          transfer.setData("application/x-webui-picture", JSON.stringify(picture));
          const dropped = new DragEvent("drop", { dataTransfer: transfer, cancelable: true });
          document.querySelector(".canvas").dispatchEvent(dropped);
          await window.canvas.value();
        }""",
        picture(canvas_site, "old.png", PHOTO),
    )
    assert value(page)["picture"] == {"id": "job/old.png"}


def test_maps_and_regions_lie_over_the_picture(page: Page, canvas_site: Site) -> None:
    drop(page, png_of(PHOTO))
    canvas_site.pictures["map.png"] = png_of(PHOTO)
    page.evaluate(
        """() => {
          window.canvas.setMap("Depth", "map.png");
          window.canvas.setRegions([{ name: "sky", left: 0, top: 0, width: 200, height: 50 }]);
        }"""
    )
    whole = page.locator(".canvas-picture").bounding_box()
    assert page.locator(".canvas-maps img").bounding_box() == whole
    region = page.locator(".canvas-region").bounding_box()
    assert whole is not None
    assert region is not None
    assert abs(region["height"] - whole["height"] / 3) < 2
    tool(page, "Layers and brush")
    page.get_by_label("Depth").uncheck()
    expect(page.locator(".canvas-maps img")).to_have_count(0)
