"""The files of Gradio's own frontend: which of them a page asks for, and their answers.

Its modules import one another in five rounds, each of which waits for the one before. A browser that is told all of
them at once has them when the first of them runs. They are found by what Vite, the tool that built the frontend,
writes into them: static imports, `import("./x.js")` and the lists `__vite__mapDeps`. What is not found there is
fetched when it is needed.
"""

import os
import re
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import gradio
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from webui.ui.gradio_savings import without_work_in_vain
from webui.ui.packed_files import PackedFiles

FOLDER = Path(gradio.__file__).parent / "templates" / "frontend"
KINDS = MappingProxyType({".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"})
FIRST = re.compile(r'<script[^>]*src="\./assets/(index-[\w.-]+\.js)"')
LATER = MappingProxyType(  # by how a module's name begins: those that it imports later and that every page needs
    {"index": ("Index-", "core-"), "Index": ("Blocks-",)}
)
STATIC = re.compile(r"(?:from|import)[`\"']\./([\w.-]+\.js)[`\"']")
DYNAMIC = re.compile(r"import\(`\./([\w.-]+\.js)`\)[^`]{0,60}?__vite__mapDeps\(\[([\d,]*)\]\)")
LIST = re.compile(r"m\.f=\[(.*?)\]")
COMPONENT = re.compile(r"(\w+):\{((?:\w+:\(\)=>[^{}]*?import\(`[^{}]*?))\}")


@dataclass(frozen=True, slots=True)
class GradioFiles:
    """The frontend's built files, by name. Attributes: `files`: where each lies."""

    files: Mapping[str, Path]

    @classmethod
    def read(cls, folder: Path = FOLDER) -> "GradioFiles":
        """Those of the installed Gradio, or of another folder with `index.html` and `assets`."""
        with os.scandir(folder / "assets") as found:  # there are a thousand, and this asks none of them what it is
            return cls(MappingProxyType({one.name: Path(one.path) for one in found if one.is_file()}))

    def needed(self, components: Collection[str], index: Path = FOLDER / "index.html") -> tuple[str, ...]:
        """The scripts and styles that a page asks for, the earliest first.

        Args:
            components: kinds of components on it, as Gradio's configuration names them.
            index: the page that the frontend begins with.
        """
        first = FIRST.search(index.read_text(encoding="utf-8"))
        found: dict[str, None] = {}
        waiting = [first[1]] if first else []
        while waiting:
            name = waiting.pop(0)
            # what shows a component in a list of examples is tiny, and few pages use it
            if name in found or name not in self.files or name.startswith("Example-"):
                continue
            found[name] = None
            if name.endswith(".js"):
                waiting += self._needed_by(name, components)
        return tuple(found)

    def _needed_by(self, name: str, components: Collection[str]) -> Iterator[str]:
        source = self.files[name].read_text(encoding="utf-8")
        listed = LIST.search(source)
        files = re.findall(r'"\./([^"]+)"', listed[1]) if listed else []
        wanted = [text for kind, text in COMPONENT.findall(source) if kind in components]
        yield from STATIC.findall(source)
        of_all = LATER.get(name.partition("-")[0], ())
        for module, numbers in DYNAMIC.findall("".join(wanted) if wanted else source):
            if wanted or module.startswith(of_all):
                yield module
                yield from (files[int(number)] for number in numbers.split(",") if number and int(number) < len(files))

    def endpoint(self) -> Callable[[Request], Awaitable[Response]]:
        """The handler of `assets/{name}`: Gradio's own files, without the work that they do in vain, packed once."""
        packed = PackedFiles()

        async def answer(request: Request) -> Response:
            path = self.files.get(request.path_params["name"])
            if path is None:
                return PlainTextResponse("No such file of the page; reload the page.", 404)
            kind = KINDS.get(path.suffix, "application/octet-stream")
            return await packed.answer(
                request, path.name, lambda: without_work_in_vain(path.name, path.read_bytes()), kind
            )

        return answer
