"""The page's routes around the prompt: cards of networks, tokens, styles, dropped pictures."""

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from fastapi import FastAPI
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from safetensors.torch import save_file

from tests.api.fakes import Api, FakeEngine, call, parts_of
from webui.api import errors
from webui.api.page import dropped_picture, network_cards, prompt_words, styles, tokens
from webui.domain.extensions import ActionInfo, ActionOutcome, ExtensionInfo
from webui.domain.request import GenerationRequest
from webui.library.library import ModelLibrary
from webui.library.tag_lists import TagLists
from webui.prompt.style_book import StyleBook
from webui.prompt.styles import Style
from webui.weights.families.registry import FAMILIES

PAGE = "/internal/page"


class Routes:
    """The routes over real files in a folder."""

    def __init__(self, folder: Path) -> None:
        self.loras = folder / "models" / "Lora"
        self.book = StyleBook(folder / "styles.csv")
        engine = self.engine = FakeEngine()
        library = ModelLibrary(folder / "models", folder / "cache", FAMILIES)
        object.__setattr__(engine, "library", library)
        parts = parts_of(engine)
        object.__setattr__(parts, "styles", self.book.read)
        self.app = FastAPI()
        errors.install(self.app)
        for router in (
            network_cards.routes(parts), tokens.routes(parts), styles.routes(parts, self.book), dropped_picture.routes()
        ):  # fmt: skip
            self.app.include_router(router)

    def get(self, path: str, **query: Any) -> Any:
        return call(self.app, "GET", f"{PAGE}/{path}", params=query)

    def send(self, method: str, path: str, body: Any) -> Any:
        return call(self.app, method, f"{PAGE}/{path}", json=body)


@pytest.fixture
def routes(tmp_path: Path) -> Routes:
    made = Routes(tmp_path)
    (made.loras / "sub").mkdir(parents=True)
    for name, metadata in (
        ("ink", {"ss_base_model_version": "sd_v1", "a": "<b>"}),
        ("sub/<b>oil", {"ss_tag_frequency": "[" * 100_000, **{f"k{n}": "v" * 3_000 for n in range(400)}}),
    ):
        save_file({"x": torch.zeros(1)}, made.loras / f"{name}.safetensors", metadata)
    Image.new("RGB", (40, 20), "red").save(made.loras / "ink.preview.png")
    return made


def test_a_piece_of_the_cards_is_answered_with_ids_instead_of_paths(routes: Routes) -> None:
    told = routes.get("networks", kind="lora").json()
    assert (told["total"], told["folders"], told["bases"]) == (2, ["sub"], ["SD1"])
    ink, oil = told["cards"]
    assert (ink["name"], ink["tag"], ink["base"], oil["name"]) == ("ink", "ink", "SD1", "<b>oil")
    assert str(routes.loras) not in json.dumps(told)
    assert oil["thumb"] == ""
    picture = call(routes.app, "GET", f"/{ink['thumb']}")
    assert picture.headers["content-type"] == "image/jpeg"
    assert "immutable" in picture.headers["cache-control"]
    assert routes.get("networks", kind="lora", offset=1, limit=1).json()["cards"] == [oil]
    assert routes.get("networks", kind="lora", q="OIL sub").json()["total"] == 1


@pytest.mark.parametrize(
    "query",
    [
        {"kind": "nothing"}, {"limit": 100_000}, {"limit": 0}, {"offset": -1}, {"order": "x"}, {"q": "x" * 500},
        {"folder": "x" * 2_000},
    ],
)  # fmt: skip
def test_questions_out_of_bounds_are_refused(routes: Routes, query: dict[str, Any]) -> None:
    assert routes.get("networks", **query).status_code == 422


def test_details_hold_bounded_metadata_and_notes_are_saved_beside_the_file(routes: Routes) -> None:
    ink, oil = routes.get("networks").json()["cards"]
    told = routes.get(f"networks/lora/{oil['id']}").json()
    assert (len(told["metadata"]), told["left_out"], told["words"]) == (200, 201, [])
    assert all(entry["cut"] and len(entry["value"]) == 2_000 for entry in told["metadata"])
    notes = {"description": "d", "notes": "", "activation": "ink style", "negative": "photo", "weight": 0.7, "base": ""}
    saved = routes.send("PUT", f"networks/lora/{ink['id']}/notes", notes)
    assert saved.json()["text"] == "<lora:ink:0.7> ink style"
    assert saved.json()["words"] == [{"text": "ink style", "source": "notes"}]
    assert json.loads((routes.loras / "ink.json").read_text("utf-8"))["negative text"] == "photo"
    for wrong in ({**notes, "weight": 9}, {**notes, "weight": "nan"}, {"more": 1}, {**notes, "notes": "x" * 40_000}):
        assert routes.send("PUT", f"networks/lora/{ink['id']}/notes", wrong).status_code == 422
    assert routes.get("networks/lora/0123456789abcdef").status_code == 404
    assert routes.get("networks/lora/..%2f..%2fetc").status_code == 404


def test_a_picture_of_the_page_becomes_the_preview_of_a_file(routes: Routes) -> None:
    (_, oil) = routes.get("networks").json()["cards"]
    told = PngInfo()
    told.add_text("parameters", "a cat\nSteps: 3")
    buffer = io.BytesIO()
    Image.new("RGB", (6, 4)).save(buffer, "PNG", pnginfo=told)
    address = f"{PAGE}/networks/lora/{oil['id']}/preview"
    saved = call(routes.app, "POST", address, files={"picture": ("a.png", buffer.getvalue())})
    assert saved.json()["has_preview"]
    assert saved.json()["thumb"]
    with Image.open(routes.loras / "sub" / "<b>oil.preview.png") as written:
        assert written.info["parameters"] == "a cat\nSteps: 3"
    assert call(routes.app, "POST", address, files={"picture": ("a.png", b"none")}).status_code == 422
    assert routes.send("POST", f"networks/lora/{oil['id']}/preview", {}).status_code == 422


def test_names_of_tags_are_told_apart_from_names_without_a_file(routes: Routes) -> None:
    told = routes.send(
        "POST", "networks/named", {"lora": ["ink", "nobody", "sub/<b>oil"], "hypernetwork": ["h"]}
    ).json()
    assert told["lora"]["ink"]["base"] == "SD1"
    assert told["lora"]["nobody"] is None
    assert told["lora"]["sub/<b>oil"] is not None
    assert told["hypernetwork"] == {"h": None}
    assert routes.send("POST", "networks/named", {"lora": ["x"] * 101}).status_code == 422


def test_new_files_are_there_after_a_refresh(routes: Routes) -> None:
    assert routes.get("networks").json()["total"] == 2
    save_file({"x": torch.zeros(1)}, routes.loras / "new.safetensors")
    assert routes.send("POST", "networks/refresh", {}).json() == {}
    assert routes.get("networks").json()["total"] == 3


def test_tokens_are_counted_with_styles_and_the_rules_of_the_form(routes: Routes) -> None:
    routes.book.add(Style("ink", "ink drawing of {prompt}", "photo"))
    asked = {"prompt": "a cat <lora:ink:1> # note", "negative": "", "styles": ["ink", "gone"], "steps": 20}
    told = routes.send("POST", "tokens", asked).json()
    assert told == {"prompt": {"used": 5, "limit": 75, "fault": ""}, "negative": {"used": 1, "limit": 75, "fault": ""}}
    with_comment = routes.send("POST", "tokens", {**asked, "rules": {"comments": False, "unknown": 1}}).json()
    assert with_comment["prompt"]["used"] == 7
    typed = {**asked, "rules": {"comments": False, "comma_padding_backtrack": "1e"}}
    assert routes.send("POST", "tokens", typed).json() == with_comment
    wrong = routes.send("POST", "tokens", {"prompt": "(cat:1.2.3)", "negative": "a"}).json()
    assert "prompt" in wrong["prompt"]["fault"]
    assert wrong["negative"]["used"] == 1
    assert routes.send("POST", "tokens", {"prompt": "x" * 32_001}).status_code == 422
    assert routes.send("POST", "tokens", {"steps": 0}).status_code == 422


def test_styles_are_saved_renamed_applied_and_deleted(routes: Routes, tmp_path: Path) -> None:
    texts = {"name": "ink", "prompt": "{prompt}, ink", "negative": "photo"}
    told = routes.send("POST", "styles", {"style": texts}).json()
    assert [(style["name"], style["file"]) for style in told["styles"]] == [("ink", "styles.csv")]
    taken = routes.send("POST", "styles", {"style": texts})
    assert taken.status_code == 409
    assert "'ink' already, in styles.csv" in taken.json()["errors"]
    applied = routes.send("POST", "styles/apply", {"prompt": "a cat", "negative": "", "names": ["ink", "gone"]}).json()
    assert applied == {"prompt": "a cat, ink", "negative": "photo"}
    renamed = {"style": {**texts, "name": "pen"}, "file": "styles.csv", "before": texts}
    assert [style["name"] for style in routes.send("POST", "styles", renamed).json()["styles"]] == ["pen"]
    assert routes.send("POST", "styles", renamed).status_code == 409
    Image.new("RGB", (4, 4)).save(tmp_path / "pen.png")
    (style,) = routes.get("styles").json()["styles"]
    assert call(routes.app, "GET", f"/{style['thumb']}").headers["content-type"] == "image/jpeg"
    buffer = io.BytesIO()
    Image.new("RGB", (900, 600), "blue").save(buffer, "PNG")
    address = f"{PAGE}/styles/picture"
    for name, status in (("pen", 200), ("gone", 409), ("../pen", 422)):
        sent = {"params": {"name": name, "file": "styles.csv"}, "files": {"picture": ("a.png", buffer.getvalue())}}
        assert call(routes.app, "POST", address, **sent).status_code == status
    with Image.open(tmp_path / "styles" / "pen.png") as kept:
        assert kept.size == (320, 213)
    assert routes.get("styles").json()["styles"][0]["thumb"] != style["thumb"]
    assert routes.get("styles/thumb", name="../x", file="styles.csv").status_code == 404
    assert routes.send("POST", "styles/delete", {"name": "pen", "file": "styles.csv"}).json()["styles"] == []
    assert routes.send("POST", "styles/delete", {"name": "pen", "file": "styles.csv"}).status_code == 404
    for name in ("", "#x", " a", "a\nb"):
        assert routes.send("POST", "styles", {"style": {"name": name}}).status_code == 422


def test_a_style_without_a_picture_shows_the_last_one_that_was_made_with_it(routes: Routes, tmp_path: Path) -> None:
    for name in ("ink", "oil", "pen"):
        routes.book.add(Style(name, name))
    Image.new("RGB", (4, 4)).save(tmp_path / "oil.png")
    first = routes.engine.submit(GenerationRequest(prompt="a", styles=("ink", "oil")), save=False)
    last = routes.engine.submit(GenerationRequest(prompt="b", styles=("ink",)), save=False)
    first.result(60)
    last.result(60)
    ink, oil, pen = (style["thumb"] for style in routes.get("styles").json()["styles"])
    assert ink == f"internal/page/jobs/{last.id}/pictures/0/thumb"
    assert oil.startswith("internal/page/styles/thumb")
    assert pen == ""


def test_a_dropped_picture_tells_its_parameters(routes: Routes) -> None:
    told = PngInfo()
    told.add_text("parameters", "a cat\nSteps: 3, Sampler: Euler")
    buffer = io.BytesIO()
    Image.new("RGB", (6, 4)).save(buffer, "PNG", pnginfo=told)
    answer = call(routes.app, "POST", f"{PAGE}/dropped-picture", files={"picture": ("a.png", buffer.getvalue())})
    assert answer.json() == {"text": "a cat\nSteps: 3, Sampler: Euler", "notices": [], "width": 6, "height": 4}
    broken = call(routes.app, "POST", f"{PAGE}/dropped-picture", files={"picture": ("a.png", b"nothing")})
    assert broken.status_code == 422
    assert call(routes.app, "POST", f"{PAGE}/dropped-picture", files={"other": ("a.png", b"x")}).status_code in (
        400,
        422,
    )


def test_the_routes_are_there_without_the_api() -> None:
    api = Api()
    assert api.get(f"{PAGE}/networks").json()["total"] == 1


def test_a_file_is_looked_into_and_new_files_are_read_a_while_at_a_time(routes: Routes) -> None:
    ink, oil = routes.get("networks", checkpoint="nothing.safetensors").json()["cards"]
    told = routes.get(f"networks/lora/{ink['id']}/inside").json()
    assert (told["kind"], told["tensors"], told["numbers"], told["strengths"]) == ("SD1", 1, 1, [])
    assert told["blocks"] == [{"name": "Other", "tensors": 1, "numbers": 1, "bytes": 4}]
    assert routes.send("POST", "networks/read/lora", {}).json() == {"unread": 0}
    assert routes.send("POST", "networks/read/nothing", {}).status_code == 422
    (routes.loras / "ink.safetensors").write_bytes(b"no model")
    damaged = routes.get(f"networks/lora/{ink['id']}/inside")
    assert damaged.status_code >= 400
    assert "ink.safetensors" in damaged.text
    (routes.loras / "ink.metadata.json").write_text(json.dumps({"trainedWords": ["brush"]}), "utf-8")
    routes.send("POST", "networks/refresh", {})
    assert oil["words"] == []


def test_lists_of_tags_are_asked_for_by_their_content_and_stay_in_the_browser(tmp_path: Path) -> None:
    (tmp_path / "cats.csv").write_text("cat,0,7,kitty\n")
    (tmp_path / "torn.csv").write_text(",,\n")
    parts = parts_of(FakeEngine(), tags=TagLists([tmp_path]))
    app = FastAPI()
    errors.install(app)
    app.include_router(prompt_words.routes(parts))
    cats, torn = call(app, "GET", f"{PAGE}/tags").json()["lists"]
    assert (cats["name"], cats["board"], torn["problem"]) == ("cats.csv", "danbooru", "")
    answer = call(app, "GET", f"{PAGE}/tags/{cats['digest']}")
    assert answer.text.endswith("\ncat\tkitty")
    assert "immutable" in answer.headers["cache-control"]
    refused = call(app, "GET", f"{PAGE}/tags/{torn['digest']}")
    assert (refused.status_code, refused.json()["detail"].startswith("torn.csv: no line is a tag")) == (422, True)
    assert call(app, "GET", f"{PAGE}/tags/..%2Fcats.csv").status_code == 404
    assert call(app, "GET", f"{PAGE}/tags/nothing").status_code == 404


def test_all_that_a_prompt_may_call_is_told_in_one_answer(routes: Routes) -> None:
    routes.app.include_router(prompt_words.routes(parts_of(routes.engine)))
    told = routes.get("prompt-words").json()
    assert [(row["name"], row["tag"], row["weight"]) for row in told["lora"]] == [
        ("ink", "ink", 0),
        ("<b>oil", "<b>oil", 0),
    ]
    assert (told["embedding"], told["style"], told["wildcard"], told["problems"]) == ([], ["ink"], [], [])


def test_extensions_tell_their_words_by_a_light_action(routes: Routes, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: dict[str, Any] = {
        "good": [{"kind": "wildcard", "name": "animals/cats"}],
        "bad": [{"kind": "else", "name": 3}],
        "wrong": {"error": 1},
    }
    action = ActionInfo("prompt_words", "Words", {}, light=True)
    infos = tuple(ExtensionInfo(name, name, actions=(action,)) for name in answers)
    infos += (ExtensionInfo("off", "off", state="disabled", actions=(action,)), ExtensionInfo("other", "other"))
    parts = parts_of(routes.engine)
    monkeypatch.setattr(routes.engine, "extensions", SimpleNamespace(infos=infos))
    monkeypatch.setattr(routes.engine, "act", lambda extension, action, options: extension)

    async def finished(job: str, request: object) -> ActionOutcome:
        return ActionOutcome(data=answers[job])

    monkeypatch.setattr(prompt_words, "finished", finished)
    routes.app.include_router(prompt_words.routes(parts))
    told = routes.get("prompt-words").json()
    assert told["wildcard"] == ["animals/cats"]
    assert [one.split(":")[0] for one in told["problems"]] == ["bad", "wrong"]
