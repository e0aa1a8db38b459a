"""The program as its user meets it: real server, models and browser, and A1111's picture at the end."""

import base64
import io
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, expect

from tests.answering import until_it_answers
from tests.reference import case_named
from tests.ui.running_program import running_program
from tests.ui.visiting import forget, visit

PATIENCE = 240  # seconds that a busy machine may take
CASE = case_named("sd2v_euler")
STARTING = {
    "checkpoint": "tiny-sd2-v", "sampler": "Euler", "steps": CASE.payload["steps"], "width": 128, "height": 128,
    "seed": 1234,
}  # fmt: skip


@dataclass(frozen=True)
class Server:
    address: str
    outputs: Path
    process: "subprocess.Popen[bytes]"


@pytest.fixture(scope="module")
def server(reference_models_dir: Path, tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Server]:
    """One for all tests, since starting it takes seconds; what is asked over HTTP is not saved."""
    folder = tmp_path_factory.mktemp("program")
    flags = {"--models-dir": reference_models_dir, "--precision": "fp32", "--api": ""}
    with running_program(folder, port, STARTING, flags) as process:
        yield Server(f"http://127.0.0.1:{port}", folder / "outputs", process)


def post(address: str, body: object) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def pixels(answer: dict[str, Any]) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(answer["images"][0]))) as image:
        return np.asarray(image.convert("RGB"), int)


def test_a_prompt_typed_in_a_browser_gives_a1111s_picture(server: Server, shared_context: BrowserContext) -> None:
    page = visit(shared_context)
    page.goto(server.address)
    page.locator("#txt2img_prompt textarea").fill(CASE.payload["prompt"])
    page.locator("#txt2img_negative_fold").click()
    page.locator("#txt2img_neg_prompt textarea").fill(CASE.payload["negative_prompt"])
    page.locator("#txt2img_generate").click()
    finished = page.get_by_role("status").filter(has_text="The picture is finished")
    expect(finished).to_be_attached(timeout=1000 * PATIENCE)
    forget(shared_context, server.address)
    [saved] = server.outputs.rglob("*.png")
    with Image.open(saved) as image, Image.open(CASE.file(".png")) as golden:
        difference = np.abs(np.asarray(image, int) - np.asarray(golden.convert("RGB"), int))
        assert difference.max() <= 2
        assert "Seed: 1234" in image.info["parameters"]


def test_a_killed_worker_costs_its_job_and_nothing_else(server: Server) -> None:
    body = {"prompt": "a red cat", "steps": 4, "width": 64, "height": 64, "seed": 1}
    status, first = post(f"{server.address}/sdapi/v1/txt2img", body)
    assert status == 200
    for child in psutil.Process(server.process.pid).children(recursive=True):
        if any("spawn_main" in part for part in child.cmdline()) and not child.children():
            child.kill()  # and not the process that it was forked from
    until_it_answers(f"{server.address}/health", server.process)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        status, again = post(f"{server.address}/sdapi/v1/txt2img", body)
        if status == 200:
            break
        time.sleep(0.5)
    assert abs(pixels(again) - pixels(first)).max() <= 1


BAD = (
    ("width", 0),
    ("height", 100),
    ("steps", 10**9),
    ("sampler_name", "no such sampler"),
    ("cfg_scale", "NaN"),
    ("prompt", "x" * 10_000_000),
    ("negative_prompt", "\ud800"),
)


def test_bad_input_is_answered_with_the_field_and_the_next_request_works(server: Server) -> None:
    good = {"prompt": "a red cat", "steps": 1, "width": 64, "height": 64, "seed": 1}
    for field, value in BAD:
        status, answer = post(f"{server.address}/sdapi/v1/txt2img", {**good, field: value})
        assert status in (400, 422), field
        assert field in json.dumps(answer)
        assert len(json.dumps(answer)) < 2000
        assert post(f"{server.address}/sdapi/v1/txt2img", good)[0] == 200, f"after {field}"
    status, answer = post(
        f"{server.address}/sdapi/v1/txt2img", {**good, "override_settings": {"sd_model_checkpoint": "none-such"}}
    )
    assert status in (404, 422)
    assert "none-such" in json.dumps(answer)
