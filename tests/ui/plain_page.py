"""A page with nothing on it but the program's own modules, for tests of a single one."""

from pathlib import Path

from playwright.sync_api import Page, Route

from webui.ui.mount import STATIC

ADDRESS = "http://bare.test/"  # answered here: nothing leaves the machine
STYLES = "".join(f'<link rel="stylesheet" href="/{name}.css">' for name in ("tokens", "frame", "controls"))
HTML = (
    '<!doctype html><html lang="en" data-theme="dark"><head><title>bare</title>'
    "<script>window.webui = {base: '/', version: 'x', language: 'en', languages: {}, kept: () => null, keep: () => 0};"
    f'</script>{STYLES}</head><body><main class="gradio-container"></main></body></html>'
)
KINDS = {".js": "text/javascript", ".css": "text/css", ".woff2": "font/woff2", ".json": "application/json"}


def open_bare(page: Page, folder: Path = STATIC) -> None:
    """Open the page; `import("/kit.js")` and its like find the files of the folder."""

    def answer(route: Route) -> None:
        name = route.request.url.removeprefix(ADDRESS)
        file = folder / name
        if not name:
            route.fulfill(body=HTML, content_type="text/html")
        elif file.is_file():
            route.fulfill(body=file.read_bytes(), content_type=KINDS.get(file.suffix, "application/octet-stream"))
        else:
            route.fulfill(status=404, body="no such file")

    page.route(f"{ADDRESS}**", answer)
    page.goto(ADDRESS)
