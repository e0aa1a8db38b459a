"""Mounts the page in the web application, and closes everything that Gradio leaves open by default."""

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from webui.domain.settings import Theme
from webui.installing.live import InstallDoor
from webui.prompt.style_file import StyleFile
from webui.ui.page import build

if TYPE_CHECKING:
    from webui.engine.engine import Engine

HERE = Path(__file__).parent
MAX_UPLOAD = "64mb"
FIRST_SCRIPT = "stream.js"  # has to be there before Gradio asks for anything
COLOURS_SCRIPT = "colours.js"
SCRIPTS = ("hotkeys.js", "cards.js")
FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
MONO_FONTS = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """The look. Only fonts that are on the machine: nothing is fetched from elsewhere."""
    look: gr.themes.Base = gr.themes.Default(
        primary_hue="indigo", secondary_hue="indigo", neutral_hue="slate", font=FONTS, font_mono=MONO_FONTS,
        spacing_size="sm", radius_size="md",
    ).set(block_label_text_weight="500", block_title_text_weight="500", block_shadow="none")  # fmt: skip
    return look


def mount(
    app: Any,
    engine: "Engine",
    *,
    temp_dir: Path,
    outputs_dir: Path,
    save_images: bool = True,
    embed_parameters: bool = True,
    styles: StyleFile | None = None,
    installing: InstallDoor | None = None,
    path: str = "/",
    root_path: str = "",
    colours: Theme = "system",
) -> Any:
    """Mount the page on a FastAPI application, after its own routes were added.

    Args:
        app: the FastAPI application.
        engine: the engine that the page uses.
        temp_dir: a folder of this program alone. Uploads and shown pictures lie in `temp_dir/gradio`, which is emptied
            now.
        outputs_dir: refused to the browser as a folder; single pictures are linked into `temp_dir` when shown.
        save_images: whether the page's pictures are saved.
        embed_parameters: whether pictures that are not saved carry their generation text.
        styles: the saved styles; None: none can be saved.
        installing: how extensions are installed; None: not on this page.
        path: where the page hangs in the application.
        root_path: where the application hangs, behind a proxy.
        colours: light or dark, unless the page's address says it; system: what the browser prefers.

    Returns:
        The same application.
    """
    uploads = _private(temp_dir / "gradio")
    # Gradio reads these two from the environment, components when they are made: there is no parameter for them
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    outputs = outputs_dir.resolve()
    page = build(
        engine,
        temp_dir=uploads,
        save_images=save_images,
        embed_parameters=embed_parameters,
        styles=styles,
        installing=installing,
    )
    # Gradio checks the paths of a request only on launched pages, and mounting does not count as launching: without
    # this line any file of the machine can be fetched
    page.has_launched = True
    mounted = gr.mount_gradio_app(
        app,
        page,
        path,
        root_path=root_path or None,
        server_name="127.0.0.1",
        footer_links=[],
        run_history=False,
        app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
        allowed_paths=[],
        blocked_paths=[] if uploads.is_relative_to(outputs) else [str(outputs)],
        show_error=False,
        max_file_size=MAX_UPLOAD,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=theme(),
        css_paths=[HERE / "style.css"],
        js=scripts(),
        head=f"<script>{called(FIRST_SCRIPT)}{'' if colours == 'system' else called(COLOURS_SCRIPT, colours)}</script>",
    )
    return mounted


def scripts() -> str:
    """The script that runs in the browser when the page has been drawn: it calls the function in each script file."""
    return "() => {\n" + "\n".join(called(name) for name in SCRIPTS) + "\n}"


def called(name: str, *arguments: str) -> str:
    """The function in a script's file, called."""
    script = _without_comments((HERE / name).read_text(encoding="utf-8"))
    return f"({script})({', '.join(json.dumps(argument) for argument in arguments)});"


def _without_comments(script: str) -> str:
    """Without the lines of comment that open a file, and the line end that closes it."""
    lines = script.strip().splitlines()
    first = next(number for number, line in enumerate(lines) if not line.startswith("//"))
    return "\n".join(lines[first:])


def _private(folder: Path) -> Path:
    """An empty folder that only this user may enter."""
    if folder.is_symlink():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    return folder.resolve()
