"""What tests do with the canvas on its bare page, and what it would send."""

import base64
import io
import json
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page

RANDOM = np.random.default_rng(7).integers(0, 256, (150, 200, 3), dtype=np.uint8)
PHOTO = Image.fromarray(RANDOM)
Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def png_of(image: Image.Image, **more: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", **more)
    return out.getvalue()


def drop(page: Page, data: bytes, kind: str = "image/png", name: str = "photo.png", event: str = "drop") -> None:
    """Drop a file on the canvas, or paste it, and wait until it is there."""
    page.evaluate(
        """async ([data, type, name, event]) => {
          const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
          const transfer = new DataTransfer();
          transfer.items.add(new File([bytes], name, { type }));
          const [canvas, cancelable] = [document.querySelector(".canvas"), true];
          if (event === "drop") canvas.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, cancelable }));
          else document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, cancelable }));
          await window.canvas.value();
        }""",
        [base64.b64encode(data).decode(), kind, name, event],
    )


def value(page: Page) -> Any:
    return page.evaluate("window.canvas.value()")


def file_of(page: Page, uploaded: Any) -> bytes:
    script = "(path) => JSON.stringify(window.sent.find((one) => one.path === path).bytes)"
    return bytes(json.loads(page.evaluate(script, uploaded["path"])))


def mask_of(page: Page) -> Pixels:
    """The mask that would be sent; all 0 where none would."""
    sent = value(page)
    if "mask" not in sent:
        return np.zeros(sent["size"][::-1], np.uint8)
    return np.asarray(Image.open(io.BytesIO(file_of(page, sent["mask"]))))


def paint_of(page: Page) -> Pixels:
    return np.asarray(Image.open(io.BytesIO(file_of(page, value(page)["paint"]))))


def tool(page: Page, name: str) -> None:
    page.get_by_role("toolbar").get_by_role("button", name=name, exact=True).click()


def command(page: Page, name: str, given: Any = None) -> None:
    page.evaluate("([name, value]) => window.canvas.command(name, value)", [name, given])
