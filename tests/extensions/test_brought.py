"""What extensions bring beside options: lasting settings, frames, tools, words of file names. All of it is attacked."""

import base64
import hashlib
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image

from tests.api.fakes import Api, FakeEngine
from tests.extensions.hostile_bodies import FAULTS, REPLACING
from tests.extensions.toys import good, toy
from tests.narrowing import untyped
from webui.api.page.frame_routes import document_of
from webui.domain.errors import BadRequestError, UnknownModelError, WebuiError
from webui.domain.extensions import ActionCall, FrameInfo
from webui.domain.request import GenerationRequest
from webui.library.library import ModelLibrary
from webui.plugins.answers import as_file_words
from webui.plugins.calling import ExtensionError
from webui.plugins.catalog import Catalog
from webui.plugins.host import ExtensionHost
from webui.plugins.hosted_tools import HostedTools
from webui.plugins.jobhooks import told_of_failure
from webui.plugins.kept_settings import KeptSettings
from webui.plugins.loader import load_all
from webui.plugins.models import LibraryModels
from webui.processing.upscaling import Upscalers
from webui.weights.families.registry import FAMILIES
from webui.weights.upscalers import UpscalerCache

CPU = torch.device("cpu")
TOOLS = """
    class Kept(Options):
        level: int = 3

    def edges(work):
        return work.image.point(lambda value: 255 - value)

    def twice(work):
        return work.image.resize((work.image.width * 2, work.image.height * 2))

    def half(work):
        width, height = work.image.size
        return [Found((0, 0, width / 2, height), 0.9, label="left"), Found((0, 0, width, height), 0.1)]

    def broken(work):
        raise SystemExit

    def told(options, context):
        return ActionResult(data=[context.settings.level, list(context.tools.names("preprocessor"))])

    @hookimpl
    def settings_options():
        return Kept

    @hookimpl
    def picture_tools():
        return [
            PictureTool("preprocessor", "My edges", edges),
            PictureTool("upscaler", "Twice", twice),
            PictureTool("detector", "Left half", half),
            PictureTool("detector", "My faces", half),
            PictureTool("preprocessor", "Broken", broken),
            PictureTool("preprocessor", "No picture", lambda work: "map"),
            PictureTool("detector", "Outside", lambda work: [Found((0, 0, 999, 1))]),
            PictureTool("detector", "Not whole", lambda work: (1,)),
        ]

    @hookimpl
    def actions():
        return [Action("told", "Told", Options, told, light=True)]
"""


@pytest.fixture
def extensions(tmp_path: Path) -> Path:
    toy(tmp_path / "e", "bringing", TOOLS)
    good(tmp_path / "e")
    return tmp_path / "e"


def host_of(extensions: Path, kept: KeptSettings | None = None) -> ExtensionHost:
    models = LibraryModels(ModelLibrary(extensions / "models", extensions / "cache", FAMILIES))
    return ExtensionHost(load_all(extensions), models, CPU, torch.float32, kept=kept)


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> HostedTools:
    folder = tmp_path_factory.mktemp("tools") / "e"
    toy(folder, "bringing", TOOLS)
    return host_of(folder).tools


def test_tools_are_listed_and_used(tools: HostedTools) -> None:
    assert tools.names("upscaler") == ("Twice",)
    assert tools.picture("preprocessor", "My edges", Image.new("RGB", (4, 4)), 4).getpixel((0, 0)) == (255,) * 3
    found = tools.found("Left half", Image.new("RGB", (8, 4)))
    assert [(one.box, one.label) for one in found] == [((0, 0, 4.0, 4), "left"), ((0, 0, 8, 4), "")]


@pytest.mark.parametrize("name", ["Broken", "No picture"])
def test_a_preprocessor_that_fails_is_named(tools: HostedTools, name: str) -> None:
    with pytest.raises(ExtensionError, match=f"extension bringing, preprocessor {name}: "):
        tools.picture("preprocessor", name, Image.new("RGB", (4, 4)), 4)


@pytest.mark.parametrize("name", ["Outside", "Not whole"])
def test_a_detector_that_finds_nonsense_is_named(tools: HostedTools, name: str) -> None:
    with pytest.raises(ExtensionError, match=f"extension bringing, detector {name}: "):
        tools.found(name, Image.new("RGB", (4, 4)))


def test_there_is_no_such_tool(tools: HostedTools) -> None:
    with pytest.raises(UnknownModelError, match="there are: Twice"):
        tools.picture("upscaler", "Thrice", Image.new("RGB", (4, 4)), 2)


def test_an_upscaler_of_an_extension_is_one_of_the_list(extensions: Path) -> None:
    host = host_of(extensions)
    library = ModelLibrary(extensions / "models", extensions / "cache", FAMILIES)
    library.take_upscalers(lambda: host.tools.names("upscaler"))
    upscalers = Upscalers(library, UpscalerCache(library, CPU), host.tools)
    told: list[tuple[int, int]] = []
    larger = upscalers.resized(Image.new("RGB", (8, 8)), "Twice", 24, 16, lambda done, of: told.append((done, of)))
    assert larger.size == (24, 16)
    assert told == [(0, 1), (1, 1)] * 2


def test_the_detailer_and_controlnet_take_them(tools: HostedTools) -> None:
    from extensions.controlnet.options import Unit  # here: other tests of this file need none of their libraries
    from extensions.controlnet.units import preprocessor_of, settings_of, usable_module
    from extensions.detailer.detectors import find_detector
    from tests.extensions.test_controlnet import NO_MODELS

    [left] = find_detector("Left half", NO_MODELS, CPU, tools=tools)(Image.new("RGB", (8, 4)), 0.5)
    assert (left.box, left.label) == ((0, 0, 4.0, 4), "left")
    assert Unit(module="My edges").module == "My edges"
    module = usable_module("My edges", "m", tools)
    draw = preprocessor_of(module, "m", NO_MODELS, CPU, tools)
    black = torch.zeros(4, 4, 3, dtype=torch.uint8).numpy()
    assert draw(black, settings_of(module, 64, (-1, -1))).min() == 255
    with pytest.raises(BadRequestError, match=r"there is no preprocessor .cany.; there are: .*My edges"):
        usable_module("cany", "m", tools)


def test_a_detector_is_listed_under_what_its_name_says(tools: HostedTools) -> None:
    from extensions.detailer.detail_lists import NoOptions, ad_model

    nothing = SimpleNamespace(refresh=lambda: None, names=lambda kind: ())
    listed: Any = ad_model(NoOptions(), untyped(SimpleNamespace(models=nothing, tools=tools))).data
    kinds = {kind for kind, one in listed["kinds"].items() if "My faces" in one["model_list"]}
    assert kinds == {"Faces", "All"}
    assert "My faces" in listed["ad_model"]


def told(host: ExtensionHost) -> Any:
    outcome = host.act(ActionCall("bringing", "told", {}, True), lambda progress: None, lambda: False)
    return outcome.data, [notice.text for notice in outcome.notices]


def test_settings_last_and_are_checked(extensions: Path, tmp_path: Path) -> None:
    kept = KeptSettings(tmp_path / "kept")
    host = host_of(extensions, kept)
    engine = FakeEngine(extensions=Catalog(host.loaded.infos, kept=kept))
    api = Api(engine)
    assert told(host)[0][0] == 3
    assert api.post("/api/extensions/bringing/settings", {"values": {"level": 7}}).status_code == 200
    assert told(host)[0][0] == 7
    assert api.get("/api/extensions/bringing/settings").json()["values"] == {"level": 7}
    refused = api.post("/api/extensions/bringing/settings", {"values": {"level": "high"}})
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"] == ["body", "values", "level"]
    assert api.post("/api/extensions/good/settings", {"values": {}}).status_code == 422
    assert api.post("/api/extensions/bringing/settings", {"values": [1]}).status_code == 422
    assert told(host)[0][0] == 7


@pytest.mark.parametrize("content", ["[", '{"level": "high"}', '{"other": 1}'])
def test_settings_that_cannot_be_used_are_told(extensions: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "bringing.json").write_text(content)
    data, notices = told(host_of(extensions, KeptSettings(tmp_path)))
    assert data[0] == 3
    assert "the usual ones hold" in notices[0]


@pytest.mark.parametrize("name", ["../x", "", "a/b", "x.json"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadRequestError):
        KeptSettings(tmp_path / "kept").write(name, {})


HOOKS = ("settings_options", "frames", "picture_tools")


def test_a_fault_where_it_is_asked_costs_that_extension(tmp_path: Path) -> None:
    wanted = {"good": "ok"}
    for number, body in enumerate([*FAULTS.values(), *REPLACING.values()]):
        lines = "".join(f"        {line}\n" for line in body.splitlines())
        for hook in HOOKS:
            toy(tmp_path, f"bad_{number}_{hook}", f"\n    @hookimpl\n    def {hook}():\n{lines}")
            wanted[f"bad_{number}_{hook}"] = "failed"
    good(tmp_path)
    assert {info.name: info.state for info in load_all(tmp_path).infos} == wanted


WRONG = {
    "settings without a usual value": (
        "settings_options",
        "type('Needs', (Options,), {'__annotations__': {'a': int}})",
    ),
    "settings of another kind": ("settings_options", "dict"),
    "a frame of another kind": ("frames", "['palette.js']"),
    "a file outside": ("frames", "[Frame('a', 'A', '../../secret.js')]"),
    "an absolute file": ("frames", "[Frame('a', 'A', '/etc/passwd.js')]"),
    "no script": ("frames", "[Frame('a', 'A', 'extension.toml')]"),
    "a missing file": ("frames", "[Frame('a', 'A', 'none.js')]"),
    "a large file": ("frames", "[Frame('a', 'A', 'large.js')]"),
    "a name that leads elsewhere": ("frames", "[Frame('../a', 'A', 'small.js')]"),
    "two of a name": ("frames", "[Frame('a', 'A', 'small.js'), Frame('a', 'B', 'small.js')]"),
    "a tool of no kind": ("picture_tools", "[PictureTool('eraser', 'A', print)]"),
    "a tool without work": ("picture_tools", "[PictureTool('detector', 'A', None)]"),
    "a tool with a tag as its name": ("picture_tools", "[PictureTool('detector', '<lora:a:1>', print)]"),
    "too many tools": ("picture_tools", "[PictureTool('detector', str(n), print) for n in range(300)]"),
}


def test_what_does_not_fit_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "secret.js").write_text("1")
    for number, (hook, answer) in enumerate(WRONG.values()):
        code = f"\n    @hookimpl\n    def {hook}():\n        return {answer}\n"
        folder = toy(tmp_path / "e", f"bad_{number:02}", code)
        (folder / "large.js").write_text("0" * 300_000)
        (folder / "small.js").write_text("0")
    infos = load_all(tmp_path / "e").infos
    for (name, (hook, _)), info in zip(WRONG.items(), infos, strict=True):
        assert info.state == "failed", name
        assert info.error.startswith(hook), name
        assert info.traceback == "", name


@pytest.mark.parametrize("words", [{"A": "x"}, {"a": 1}, {"a": "x" * 2000}, {str(n): "x" for n in range(3)}])
def test_words_for_names_are_plain(words: dict[Any, Any]) -> None:
    with pytest.raises(ExtensionError):
        as_file_words(words)


HOSTILE_SCRIPT = "const a = '</script><script>parent.x()</script>'; // <!-- <script>"


def test_the_document_of_a_frame_runs_nothing_but_its_script() -> None:
    text, policy = document_of(FrameInfo("a", "</title><b>", HOSTILE_SCRIPT, "p { content: '</style>' }"))
    assert policy.startswith("sandbox allow-scripts; default-src 'none';")
    assert "allow-same-origin" not in policy
    assert "</title><b>" not in text
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(scripts) == 2
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert text.count("</style>") == 1
    assert "unsafe" not in policy


def test_frames_are_served_by_their_names(tmp_path: Path) -> None:
    folder = toy(tmp_path, "drawing", "\n    @hookimpl\n    def frames():\n        return [Frame('a', 'A', 'a.js')]\n")
    good(tmp_path)
    (folder / "a.js").write_text("webui.notice('hello')")
    api = Api(FakeEngine(extensions=Catalog(load_all(tmp_path).infos)))
    answer = api.get("/internal/page/frames/drawing/a")
    assert "webui.notice('hello')" in answer.text
    assert answer.headers["content-security-policy"].startswith("sandbox")
    for path in ("drawing/b", "good/a", "none/a"):
        assert api.get(f"/internal/page/frames/{path}").status_code == 404


ENDS = """
    class Member:
        def __init__(self, job):
            self.job = job

        @hookimpl
        def job_ended(self, error):
            self.job.record("end", error.encode() or b"well")

    @hookimpl
    def join_job(job):
        return Member(job)
"""


@pytest.mark.parametrize("error", ["", "broken"])
def test_the_end_of_a_job_is_told(tmp_path: Path, error: str) -> None:
    toy(tmp_path, "ends", ENDS)
    parts: list[bytes] = []
    hooks = host_of(tmp_path).join(GenerationRequest(), recorded=lambda part: parts.append(part.data))
    if error:
        with pytest.raises(WebuiError), told_of_failure(hooks):
            raise WebuiError(error)
    else:
        hooks.ended("")
    assert parts == [error.encode() or b"well"]
