"""The stage with the opened queue over it, and the strip with queue and history: components whose scripts follow the
page's event stream by themselves, so that no handler of Python has anything to do with pictures or progress.
"""

from functools import partial
from typing import Any

import gradio as gr

from webui.ui.events import bind
from webui.ui.own import own


def draw(missing: str = "", *, first_run: bool = False) -> None:
    """Draw the stage inside the caller's container.

    Args:
        missing: what is said in the place of a picture while there is none, such as that there is no checkpoint; "":
            that the picture appears here.
        first_run: whether the stage tells, before the first picture, what can be painted and where models go.
    """
    own("stage", {"missing": missing, "first_run": first_run}, elem_id="txt2img_gallery")
    own("queue_panel", elem_id="queue_panel")


def draw_strip() -> gr.HTML:
    """Draw queue and history inside the caller's container.

    Returns:
        A component whose value is `{"waiting": jobs that run or wait, "running": whether one of this browser runs}`.
    """
    return own("strip", {"waiting": 0, "running": False}, elem_id="txt2img_queue")


def draw_sheet() -> None:
    """Draw the sheet of an experiment, which lies over the stage while there is one to show."""
    own("sheet", elem_id="sheet")


def connect(strip: Any, experiment: Any, generate: gr.Button, interrupt: gr.Button, skip: gr.Button) -> None:
    """Have the label of Generate follow the queue and the plan, and let the browser itself send what stops a job.

    Args:
        experiment: drawn by `static/experiment.js`.
    """
    told = "(...values) => window.webui.queue?.label(...values) ?? 'Generate'"
    event = partial(gr.on, [strip.change, experiment.change])
    bind(event, None, [strip, experiment], [generate], js=told, trigger_mode="always_last")
    for button, command in ((interrupt, "interrupt"), (skip, "skip")):
        bind(button.click, None, None, None, js=f"() => {{ window.webui.queue?.{command}(); }}")
