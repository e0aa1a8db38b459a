"""Mounts the page in the web application, and closes everything that Gradio leaves open by default."""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import gradio as gr
from starlette.middleware import Middleware

from webui.domain.settings import Theme
from webui.engine.batch_door import BatchDoor
from webui.installing.live import InstallDoor
from webui.ui import head, joining
from webui.ui.assets import Assets
from webui.ui.create.creation import FindPicture, no_pictures
from webui.ui.gradio_files import GradioFiles
from webui.ui.kept_page import KeptPage
from webui.ui.late_tabs import late_tabs
from webui.ui.page import build
from webui.ui.theme import theme
from webui.ui.words import dictionaries, title_of

if TYPE_CHECKING:
    from webui.engine.engine import Engine

STATIC = Path(__file__).parent / "static"
MAX_UPLOAD = "64mb"
REST = 0.1  # seconds
STYLES = ("tokens.css", "frame.css", "controls.css")  # those of single components follow, by name
FIRST_SCRIPT = "boot.js"  # which imports the joined modules
CLOSED: Mapping[str, Any] = MappingProxyType(  # what Gradio would otherwise open or show
    {
        "server_name": "127.0.0.1",
        "footer_links": [],
        "run_history": False,
        "show_error": False,
        "ssr_mode": False,
        "enable_monitoring": False,
        "pwa": False,
        "mcp_server": False,
    }
)
META = MappingProxyType({"viewport": head.VIEWPORT, "color-scheme": "dark light"})


def mount(
    app: Any,
    engine: "Engine",
    *,
    temp_dir: Path,
    outputs_dir: Path,
    saves: Callable[[], bool] = lambda: True,
    installing: InstallDoor | None = None,
    path: str = "/",
    root_path: str = "",
    colours: Theme = "dark",
    look: Callable[[], tuple[Theme, str]] | None = None,
    localizations: Sequence[Path] = (),
    find_picture: FindPicture = no_pictures,
    first_run: bool = False,
    batches: BatchDoor | None = None,
) -> Any:
    """Mount the page on a FastAPI application, after its own routes were added.

    Args:
        app: the FastAPI application.
        engine: the engine that the page uses.
        temp_dir: a folder of this program alone. Uploads and shown pictures lie in `temp_dir/gradio`, which is emptied
            now.
        outputs_dir: refused to the browser as a folder; single pictures are linked into `temp_dir` when shown.
        saves: whether the page's pictures are saved now.
        installing: how extensions are installed; None: not on this page.
        path: where the page hangs in the application.
        root_path: where the application hangs, behind a proxy.
        colours: light or dark, unless the browser's user or the page's address says it; system: what the browser
            prefers.
        look: tells theme and language ("" for English) each time that the page is asked for; None: they are
            `colours` and English.
        find_picture: finds a picture by the id that the page has for it, for whoever may see it.
        first_run: whether the stage tells, before the first picture, what can be painted and where models go; the
            application needs the routes of settings for it.
        batches: begins batches of folders; None: as `build` does without.
        localizations: further folders with dictionaries (`<language>.json`); they are read now.

    Returns:
        The same application.
    """
    uploads = _private(temp_dir / "gradio")
    # Gradio reads these two from the environment, components when they are made: there is no parameter for them
    os.environ["GRADIO_TEMP_DIR"] = str(uploads)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    outputs, words = outputs_dir.resolve(), dictionaries(localizations)
    page = build(
        engine, saves=saves, installing=installing, find_picture=find_picture, first_run=first_run, batches=batches
    )
    # Gradio checks the paths of a request only on launched pages, and mounting does not count as launching: without
    # this line any file of the machine can be fetched
    page.has_launched = True
    # Gradio looks a thousand times a second for events in its queue, where none of ours goes (webui/ui/events.py)
    page._queue.sleep_when_free = page._queue.progress_update_sleep_when_free = REST
    assets, own = read_assets(words, late_tabs(page)), GradioFiles.read()
    needed = own.needed({block.get_block_name() for block in page.blocks.values()})
    for route, endpoint in ((assets.route, assets.endpoint()), ("/assets/{name}", own.endpoint())):
        app.add_route(f"{path.rstrip('/')}{route}", endpoint, methods=["GET"], include_in_schema=False)
    mounted = gr.mount_gradio_app(
        app,
        page,
        path,
        root_path=root_path or None,
        app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
        allowed_paths=[],
        blocked_paths=[] if uploads.is_relative_to(outputs) else [str(outputs)],
        max_file_size=MAX_UPLOAD,
        theme=theme(),
        **CLOSED,
    )
    page.app = mounted.routes[-1].app  # which Gradio's queue answers for
    languages = {name: title_of(data) for name, data in words.items()}
    asked = look or (lambda: (colours, ""))
    # the innermost layers, so that those around them pack what was added
    layer = Middleware(head.Head, lambda: _head_now(assets, languages, needed, asked), path)
    mounted.user_middleware += [layer, Middleware(KeptPage, path)]
    return mounted


def read_assets(words: Mapping[str, bytes], late: Mapping[str, joining.LateTab] = MappingProxyType({})) -> Assets:
    """The page's files, with scripts and styles joined, and the dictionaries by their languages.

    Args:
        words: the dictionaries.
        late: the tabs whose files are fetched when they are opened.
    """
    single = Assets.read(STATIC, {f"localizations/{name}.json": data for name, data in words.items()})
    return joining.together(single, STYLES, [FIRST_SCRIPT], late)


def _head_now(
    assets: Assets, languages: Mapping[str, str], needed: Sequence[str], look: Callable[[], tuple[Theme, str]]
) -> str:
    """What is added to the head of the page when it is asked for now."""
    colours, language = look()
    return added_to_head(assets, colours, languages, language, needed)


def added_to_head(
    assets: Assets,
    colours: Theme,
    languages: Mapping[str, str],
    language: str = "",
    needed: Sequence[str] = (),
) -> str:
    """The elements that the page's head gets.

    Args:
        languages: the title of each language that there is a dictionary for.
        needed: names of Gradio's own files that the page will ask for.
        language: of a browser in which nobody has chosen one; "" for English.
    """
    data = {"theme": colours, "version": assets.version, "languages": dict(languages), "language": language}
    styles, scripts = [assets.address(joining.STYLES)], [assets.address(FIRST_SCRIPT)]
    early = [assets.address(joining.SCRIPTS), *(f"assets/{name}" for name in needed)]
    return head.tags(styles, scripts, data, META, early)


def _private(folder: Path) -> Path:
    """An empty folder that only this user may enter."""
    if folder.is_symlink():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    return folder.resolve()
