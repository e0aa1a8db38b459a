"""The tab Learn: a place for `static/learn.js`, whose views show how pictures come about and what files tell.

The views of a run ask the routes of `webui/api/page/learn.py`, PNG Info and Compare those of `library.py`.
"""

from webui.ui.own import own


def draw() -> None:
    """Draw the views inside the caller's tab."""
    own("learn", elem_id="learn", elem_classes="fills")
