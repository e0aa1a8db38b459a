"""The routes of Learn that ask the back: what they take, what they refuse, and what they answer."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from starlette.testclient import TestClient

from tests.ui.fakes import FakeEngine
from webui.api.application import create
from webui.api.parts import Parts, as_png
from webui.domain.request import GenerationRequest

BASE = "/internal/page/learn"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeEngine]:
    made = FakeEngine(tmp_path_factory.mktemp("outputs"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(engine: FakeEngine) -> TestClient:
    return TestClient(create(Parts(engine, lambda image, saving=None: as_png(image.image)), with_api=False))


def _file(text: str = "", size: tuple[int, int] = (64, 64)) -> dict[str, tuple[str, bytes]]:
    chunks, buffer = PngInfo(), io.BytesIO()
    if text:
        chunks.add_text("parameters", text)
    Image.new("RGB", size, "red").save(buffer, "PNG", pnginfo=chunks)
    return {"picture": ("a.png", buffer.getvalue())}


def test_the_levels_of_a_schedule(client: TestClient) -> None:
    told = client.get(f"{BASE}/schedule", params={"scheduler": "Karras", "steps": 5}).json()
    assert told["schedule"] == "Karras"
    assert len(told["sigmas"]) == len(told["timesteps"]) == 6
    assert told["sigmas"] == sorted(told["sigmas"], reverse=True)


def test_a_list_brings_its_own_number_of_steps(client: TestClient) -> None:
    told = client.get(f"{BASE}/schedule", params={"schedule.sigmas": "9, 3 1 0"}).json()
    assert (told["schedule"], told["sigmas"]) == ("", [9, 3, 1, 0])


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"scheduler": "Nobody's"}, "there is no schedule"), ({"steps": "0"}, "greater than or equal to 1"),
        ({"prompt": "a"}, "no part of a schedule"), ({"schedule.sigmas": "1 x"}, "numbers"),
        ({"schedule.sigmas": "1 2 0"}, "must fall"), ({"schedule.colour": "red"}, "not permitted"),
    ],
)  # fmt: skip
def test_what_is_no_schedule_is_refused(client: TestClient, query: dict[str, str], said: str) -> None:
    answer = client.get(f"{BASE}/schedule", params=query)
    assert answer.status_code == 422
    assert said in answer.text


def test_a_picture_is_noised_small_enough(client: TestClient) -> None:
    told = client.post(f"{BASE}/noise", files=_file(size=(1600, 800)), params={"seed": 3}).json()
    assert len(told["losses"]) == len(told["sigmas"]) == len(told["timesteps"]) == 26
    assert told["atlas"].startswith("data:image/png;base64,")
    assert client.post(f"{BASE}/noise", files={"picture": ("a.png", b"no picture")}).status_code == 422


def test_a_file_is_made_again_where_it_tells_how(client: TestClient, engine: FakeEngine) -> None:
    text = "a pier\nSteps: 3, Sampler: Euler, Seed: 7, Size: 64x64, Model: mini"
    told = client.post(f"{BASE}/again", files=_file(text)).json()
    job = engine.job(told["job"])
    assert job is not None
    made: GenerationRequest = job.work
    assert (made.prompt, made.seed, made.steps, made.images) == ("a pier", 7, 3, 1)
    job.result(30)


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "no generation parameters"), ("a\nSteps: 3, Seed: 7, Denoising strength: 0.4", "made from another one")],
)
def test_a_file_that_does_not_tell_is_refused_with_the_reason(client: TestClient, text: str, said: str) -> None:
    answer = client.post(f"{BASE}/again", files=_file(text))
    assert answer.status_code == 409
    assert said in answer.text


def test_a_missing_checkpoint_is_named(client: TestClient) -> None:
    answer = client.post(f"{BASE}/again", files=_file("a\nSteps: 3, Seed: 7, Model: nowhere"))
    assert answer.status_code == 404
    assert "nowhere" in answer.text


def test_outputs_stay_empty(engine: FakeEngine) -> None:
    """What is made again to be compared is not saved."""
    assert [path for path in Path(engine.outputs).rglob("*") if path.is_file()] == []


def test_what_a_job_would_need_of_memory(client: TestClient) -> None:
    one, two = (
        client.post("/internal/page/memory", json={"fields": {"batch_size": size}}).json() for size in (1, 2)
    )  # fmt: skip
    assert one["fits"]
    assert two["sampling"] == 2 * one["sampling"]
    hires = {"fields": {"task.hires.enabled": True, "task.hires.scale": 2}, "extensions": {"controlnet": {"units": []}}}
    assert client.post("/internal/page/memory", json=hires).status_code == 200
    assert client.post("/internal/page/memory", json={"fields": {"width": "wide"}}).status_code == 422
