"""`internal/page/frames/EXTENSION/FRAME`: the document of a frame that an extension draws on the page.

Everything is in the one document, because a frame without an origin may fetch nothing from this server. The policy that
is sent with it makes it such a frame wherever it is opened.
"""

import base64
import hashlib
import html
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse

from webui.api.late_routes import Router
from webui.api.parts import Parts
from webui.domain.extensions import FrameInfo

BRIDGE = Path(__file__).with_name("frame_bridge.js")
STYLE = """:root { color-scheme: light; font: 14px/1.5 system-ui, sans-serif; }
:root[data-theme="dark"] { color-scheme: dark; }
body { margin: 0; padding: 12px; background: transparent; }
"""


def routes(parts: Parts) -> Router:
    """The documents of all frames."""
    router = Router(prefix="/internal/page/frames", include_in_schema=False)
    catalog = parts.engine.extensions

    @router.get("/{extension}/{frame}")
    def document(extension: str, frame: str) -> HTMLResponse:
        info = catalog.get(extension)
        found = next((one for one in info.frames if one.name == frame), None) if info and info.state == "ok" else None
        if found is None:
            raise HTTPException(404, f"there is no frame {frame!r} of an extension {extension!r}")
        text, policy = document_of(found)
        return HTMLResponse(text, headers={"Content-Security-Policy": policy, "Cache-Control": "no-store"})

    return router


def document_of(frame: FrameInfo) -> tuple[str, str]:
    """The document, and its policy (W3C CSP 3): no origin of ours, no network, no other code than what is in it."""
    scripts = [_closed_off(text, "script") for text in (BRIDGE.read_text(encoding="utf-8"), frame.script)]
    style = _closed_off(STYLE + frame.style, "style")
    policy = (
        f"sandbox allow-scripts; default-src 'none'; script-src {' '.join(map(_hash, scripts))}; "
        f"style-src {_hash(style)}; img-src data: blob:; font-src data:; form-action 'none'; base-uri 'none'; "
        "webrtc 'block'"
    )
    body = "".join(f"<script>{text}</script>" for text in scripts)
    title = html.escape(frame.title)
    head = f'<meta charset="utf-8"><meta name="referrer" content="no-referrer"><title>{title}</title>'
    return f'<!doctype html><html lang="en"><head>{head}<style>{style}</style></head><body>{body}</body></html>', policy


def _closed_off(text: str, element: str) -> str:
    """A text that cannot end the element that it stands in. In strings the change means the same."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    parts = text.split("</")
    kept = parts[0]
    for part in parts[1:]:
        kept += ("<\\/" if part.lower().startswith(element) else "</") + part
    return kept.replace("<!--", "<\\!--") if element == "script" else kept


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
