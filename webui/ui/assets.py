"""The scripts, styles and fonts of the page, served under a version: the browser keeps them until they change.

All files are read once at the start. A request only chooses among them, so no path is ever made from what it says.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from webui.ui.packed_files import PackedFiles

ADDRESS = "internal/page/static"
KINDS = MappingProxyType(
    {
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json; charset=utf-8",
        ".svg": "image/svg+xml",
        ".png": "image/png",
        ".webp": "image/webp",
        ".woff2": "font/woff2",
    }
)


@dataclass(frozen=True, slots=True)
class Assets:
    """Files by the name under which they are asked for (`fonts/inter.woff2`).

    Attributes:
        version: changes when any of the files does.
    """

    files: Mapping[str, bytes]
    version: str

    @classmethod
    def read(cls, folder: Path, more: Mapping[str, bytes] = MappingProxyType({})) -> "Assets":
        """Every file below a folder whose kind is in `KINDS`, and `more` beside them."""
        found = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix in KINDS
        }
        return cls.of({**found, **more})

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> "Assets":
        """The files, with the version that follows from their names and contents."""
        digest = hashlib.sha256()
        for name, data in sorted(files.items()):
            for part in (name.encode(), data):
                digest.update(len(part).to_bytes(8, "big") + part)
        return cls(MappingProxyType(dict(files)), digest.hexdigest()[:16])

    def address(self, name: str) -> str:
        """Where a file is, relative to the page. Raises KeyError: there is no such file."""
        if name not in self.files:
            raise KeyError(f"{name}: no such file of the page; it should be one of {', '.join(sorted(self.files))}")
        return f"{ADDRESS}/{self.version}/{name}"

    def endpoint(self) -> Callable[[Request], Awaitable[Response]]:
        """The handler of `route`."""
        packed = PackedFiles()

        async def answer(request: Request) -> Response:
            name = request.path_params["name"]
            data = self.files.get(name)
            if data is None or request.path_params["version"] != self.version:
                return PlainTextResponse("No such file of this version of the page; reload the page.", 404)
            return await packed.answer(request, name, lambda: data, KINDS["." + name.rpartition(".")[2]])

        return answer

    @property
    def route(self) -> str:
        """The pattern of the addresses, for the application's router."""
        return f"/{ADDRESS}/{{version}}/{{name:path}}"
