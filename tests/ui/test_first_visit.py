"""What a browser fetches when it opens the page for the first time, and what it leaves until a tab is opened."""

from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.ui.driving import opened_page, served, whole_page
from tests.ui.fakes import FakeEngine

MOST_REQUESTS = 90
MOST_BYTES = 640_000  # packed, with heads
FONT = "inter.woff2"


def test_the_first_view_asks_for_little_and_a_tab_for_its_own_files(
    browser: Browser, engine: FakeEngine, tmp_path: Path
) -> None:
    sizes: dict[str, int] = {}
    names: list[str] = []

    def listen(page: Page) -> None:
        session = page.context.new_cdp_session(page)
        session.on("Network.requestWillBeSent", lambda told: names.append(told["request"]["url"].rpartition("/")[2]))
        session.on("Network.loadingFinished", lambda told: sizes.update({told["requestId"]: told["encodedDataLength"]}))
        session.send("Network.enable")

    with served(whole_page(engine, tmp_path)) as address, opened_page(browser, address, before=listen) as page:
        expect(page.locator("#txt2img_generate")).to_be_visible()
        expect(page.locator(":root:not([data-loading])")).to_be_attached()
        page.wait_for_load_state("networkidle")
        assert FONT in names  # what is counted is the page
        assert len(names) <= MOST_REQUESTS
        assert sum(sizes.values()) <= MOST_BYTES
        assert [name for name in names if name.startswith("joined")] == ["joined.css", "joined.js"]
        tab = page.get_by_role("tab", name="Learn")
        with page.expect_request(lambda request: request.url.endswith("joined_pnginfo.js")):
            tab.hover()
        tab.click()
        expect(page.locator(".learn-nav")).to_be_visible()
        page.get_by_role("tab", name="Library").click()
        expect(page.locator(".own.library > *").first).to_be_visible()
        late = [name for name in names if name.startswith("joined_")]
        assert sorted(late) == [
            "joined_image_browser.js", "joined_pnginfo.css", "joined_pnginfo.js", "joined_shared.js",
        ]  # fmt: skip
