"""Visits of pages, one after the other in one tab of the browser: it has the page's scripts compiled already, and knows
nothing else of the visits before.
"""

from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

BLANK = "about:blank"
DESKTOP, PHONE = (1440, 1000), (390, 844)


def visited(browser: Browser, **context: Any) -> BrowserContext:
    """A context with the tab in which tests have their visits.

    Args:
        context: of `Browser.new_context`.
    """
    made = browser.new_context(**context)
    made.new_page()
    return made


def visit(context: BrowserContext, size: tuple[int, int] = DESKTOP) -> Page:
    """The tab for the next visit, empty: the lasting one, or another where that one is in use.

    A process of the browser that has shown the page before shows it again with two thirds of the work.
    """
    first = context.pages[0]
    page = first if first.url == BLANK else context.new_page()
    page.set_viewport_size({"width": size[0], "height": size[1]})
    return page


def forget(context: BrowserContext, address: str) -> None:
    """End the visits of a lasting context, and clear what those of an address have stored: cookies, local storage,
    databases.
    """
    tab, *others = context.pages
    for page in context.pages:
        page.unroute_all()
        page.goto(BLANK)  # a page that is left keeps its form; one that is closed may do so later
    context.clear_cookies()
    context.clear_permissions()
    session = context.new_cdp_session(tab)
    session.send("Storage.clearDataForOrigin", {"origin": address.rstrip("/"), "storageTypes": "all"})
    session.detach()
    for page in others:
        page.close()
