"""The tab Library: a place for `static/library.js`, which asks the routes of `webui/api/page/library.py`."""

from webui.ui.own import own


def draw() -> None:
    """Draw the Library inside the caller's tab."""
    own("library", elem_id="library", elem_classes="fills")
