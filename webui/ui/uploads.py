"""The page's own check that files named by a browser are files that the browser uploaded.

Gradio checks it too, but only while its `has_launched` is true, which mounting does not set by itself: without it any
file of the machine can be read (see SECURITY.md). This check stands apart from that flag.
"""

from pathlib import Path
from typing import Any

import gradio as gr
from gradio import utils


def foreign_file(payload: Any, upload_dir: Path) -> str | None:
    """The first file named in an event's values that does not lie under the upload folder; None where all do.

    Every value like Gradio's FileData is checked, at any depth, after resolving links. URLs are refused.
    """
    root = upload_dir.resolve()
    pending = [payload]
    while pending:
        value = pending.pop()
        if isinstance(value, list | tuple):
            pending.extend(value)
        elif isinstance(value, dict):
            pending.extend(value.values())
            path = value.get("path")
            if isinstance(path, str) and not _lies_under(path, root):
                return path
    return None


def _lies_under(path: str, root: Path) -> bool:
    try:
        return Path(path).resolve().is_relative_to(root)
    except (OSError, ValueError):  # the path has a NUL, a loop of links, or a name that is too long
        return False


class Page(gr.Blocks):
    """Blocks that refuse an event naming a file which was not uploaded, before any component sees it."""

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], *args: Any, **more: Any) -> Any:
        """Check the files in an event, then do what Gradio does.

        Raises:
            gr.Error: a file was named that the browser did not upload; the path is not repeated.
        """
        if foreign_file(inputs, Path(utils.get_upload_folder())) is not None:
            raise gr.Error("This file was not uploaded here.", print_exception=False)
        return await super().preprocess_data(block_fn, inputs, *args, **more)
