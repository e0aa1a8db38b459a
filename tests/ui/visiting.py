"""Visits of pages, one after the other in one context of the browser: it has the page's scripts compiled already, and
knows nothing else of the visits before.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page


@contextlib.contextmanager
def lasting_context(browser: Browser, **context: Any) -> Iterator[BrowserContext]:
    """A context for the tests of a file. Its first page stays empty; `forget` asks the browser through it.

    Args:
        context: of `Browser.new_context`.
    """
    made = browser.new_context(**context)
    made.new_page()
    yield made
    made.close()


def visits(context: BrowserContext) -> list[Page]:
    """The open pages of a lasting context but for its empty one."""
    return context.pages[1:]


def forget(context: BrowserContext, address: str) -> None:
    """Close the pages of a lasting context, and clear what those of an address have stored: cookies, local storage,
    databases.
    """
    for page in visits(context):
        page.goto("about:blank")  # a page that is left keeps its form; one that is closed may do so later
    context.clear_cookies()
    context.clear_permissions()
    session = context.new_cdp_session(context.pages[0])
    session.send("Storage.clearDataForOrigin", {"origin": address.rstrip("/"), "storageTypes": "all"})
    session.detach()
    for page in visits(context):
        page.close()
