"""Recordings of runs: bounded in memory, and handed out to those who see the job."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from tests.api.page import recorded_run
from tests.api.page.browsers import Browser, Server
from tests.executors.prompted_back import picture
from webui.api.page.prompt_places import placed_words
from webui.domain.extensions import ExtensionInfo
from webui.domain.recording import MOST_BYTES, RecordedPart
from webui.engine.recordings import Recordings
from webui.executors.protocol import ImageMade, Recorded, Started
from webui.imaging.step_atlas import WIDEST, atlas, layout
from webui.imaging.word_heat import word_heat


def recorded(server: Server, owner: str, prompt: str = "a red circle") -> str:
    """A job with a recording; its id."""
    job = server.submit(owner, prompt)
    server.bench.hand.tell(Started(job.id))
    for name, data in recorded_run.parts().items():
        server.bench.hand.tell(Recorded(job.id, RecordedPart("some_extension", name, data)))
    server.bench.hand.tell(ImageMade(job.id, picture(job.work, 0)))
    return str(job.id)


def test_a_run_is_told_with_its_words(server: Server, me: Browser) -> None:
    job = recorded(server, me.owner, "a red circle, (blue:1.2) BREAK unquestionably")
    told = me.ask("GET", f"/internal/page/learn/{job}/run").json()
    assert len(told["steps"]) == recorded_run.STEPS
    words = {word["text"]: word for word in told["words"]}
    assert words["red"]["tokens"] == [2]
    assert words[","]["is_sign"]
    assert words["blue"]["weight"] == pytest.approx(1.2)
    [far] = [word for word in told["words"] if word["tokens"][0] > 77]  # the second chunk begins at 77
    assert far["tokens"][0] == 78
    assert [one["job"] for one in me.ask("GET", "/internal/page/learn/runs").json()] == [job]


def test_frames_and_maps_are_what_was_recorded(server: Server, me: Browser) -> None:
    job = recorded(server, me.owner)
    answer = me.ask("GET", f"/internal/page/learn/{job}/latents.webp?count=5")
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    shown = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"))
    for step in range(recorded_run.STEPS):
        strip = np.asarray(Image.open(io.BytesIO(recorded_run.parts()[f"latents_{step}"])))
        for row in range(3):
            there = shown[row * 8 : row * 8 + 8, step * 8 : step * 8 + 8]
            assert np.array_equal(there, strip[:, row * 8 : row * 8 + 8])
    heat = me.ask("GET", f"/internal/page/learn/{job}/words/1?count=5").content
    assert len(heat) == 2 * 8 + 2 * 5 * 256
    assert me.ask("GET", f"/internal/page/learn/{job}/words/9?count=5").status_code == 404
    looks = me.ask("GET", f"/internal/page/learn/{job}/point?x=0&y=0&count=5").content
    assert np.frombuffer(looks, "<f4", 2).tolist() == [0, 1]
    assert np.frombuffer(looks, np.uint8, offset=8).reshape(5, 256).argmax(1).tolist() == [0] * 5
    assert me.ask("GET", f"/internal/page/learn/{job}/point?x=16&y=0&count=5").status_code == 404
    assert me.ask("GET", f"/internal/page/learn/{job}/part/parts").json() == recorded_run.network()
    assert me.ask("GET", f"/internal/page/learn/{job}/part/none").status_code == 404


def test_a_run_is_taken_along_as_a_file(server: Server, me: Browser) -> None:
    job = recorded(server, me.owner)
    for kind, kind_name in (("png", "image/png"), ("gif", "image/gif"), ("mp4", "video/mp4")):
        answer = me.ask("GET", f"/internal/page/learn/{job}/film/guidance.{kind}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind_name)
        assert f"run-guidance-5-steps.{kind}" in answer.headers["content-disposition"]
    strip = Image.open(io.BytesIO(me.ask("GET", f"/internal/page/learn/{job}/film/clean.png").content))
    assert strip.size == (recorded_run.STEPS * 256, 256)


def test_of_a_run_that_was_stopped_what_is_there_is_taken_along_and_of_others_nothing(
    server: Server, me: Browser
) -> None:
    stopped = server.submit(me.owner)
    server.bench.hand.tell(Started(stopped.id))
    told = {**recorded_run.run(2), "is_done": False, "total": 5}
    for name, data in {**recorded_run.parts(2), "run": json.dumps(told).encode()}.items():
        server.bench.hand.tell(Recorded(stopped.id, RecordedPart("some_extension", name, data)))
    strip = me.ask("GET", f"/internal/page/learn/{stopped.id}/film/noisy.png").content
    assert Image.open(io.BytesIO(strip)).size == (2 * 256, 256)
    other = server.submit(me.owner)
    for job, said in ((other.id, "no step of this job was recorded"), ("none", "")):
        answer = me.ask("GET", f"/internal/page/learn/{job}/film/noisy.gif")
        assert answer.status_code == 404
        assert said in answer.json()["detail"]
    assert me.ask("GET", f"/internal/page/learn/{stopped.id}/film/depth.gif").status_code == 422


def test_the_example_is_there_before_any_job(server: Server, me: Browser) -> None:
    base = "/internal/page/learn"
    assert me.ask("GET", f"{base}/runs").json() == []
    told = me.ask("GET", f"{base}/example/run").json()
    assert (len(told["steps"]), told["prompt"]) == (20, "a red circle on a blue background")
    words = {word["text"]: at for at, word in enumerate(told["words"])}
    for path in ("latents.webp?count=20", "clean.webp?count=20", f"words/{words['circle']}?count=20", "part/parts"):
        assert me.ask("GET", f"{base}/example/{path}").status_code == 200
    film = me.ask("GET", f"{base}/example/film/clean.gif").content
    assert getattr(Image.open(io.BytesIO(film)), "n_frames", 1) == 20


def test_the_example_is_made_again_with_its_own_checkpoint(server: Server, me: Browser) -> None:
    options = {"type": "object", "properties": {}, "records_runs": True}
    before = server.engine.extensions.infos
    server.engine.extensions.replace((ExtensionInfo("records", "records", options=options),))
    answer = me.ask("POST", "/internal/page/learn/runs", {"picture": "example/0"})
    server.engine.extensions.replace(before)
    assert answer.status_code == 404
    assert "mini.safetensors" in answer.text  # which is not among those of this program


def test_a_job_without_a_recording_has_no_steps_and_an_unknown_one_is_not_there(server: Server, me: Browser) -> None:
    job = server.submit(me.owner)
    assert me.ask("GET", f"/internal/page/learn/{job.id}/run").json()["steps"] == []
    assert me.ask("GET", f"/internal/page/learn/{job.id}/clean.webp?count=1").status_code == 404
    assert me.ask("GET", "/internal/page/learn/none/run").status_code == 404


def test_the_oldest_recordings_go() -> None:
    kept = Recordings(jobs=3, size=100)
    for job in "abcd":
        assert kept.keep(job, RecordedPart("x", "run", b"." * 10))
    assert list(kept.jobs) == ["b", "c", "d"]
    assert kept.keep("d", RecordedPart("x", "more", b"." * 75))
    assert list(kept.jobs) == ["c", "d"]
    assert kept.size <= 100
    assert kept.keep("d", RecordedPart("x", "more", b"." * 90))  # another one in its place
    assert list(kept.jobs) == ["d"]
    assert not kept.keep("d", RecordedPart("x", "last", b"."))
    assert kept.size == 100
    with pytest.raises(ValueError, match="at most"):
        RecordedPart("x", "run", bytes(MOST_BYTES + 1))
    with pytest.raises(ValueError, match="named"):
        RecordedPart("x", "../run", b"")


def test_an_atlas_is_never_wider_than_it_may_be() -> None:
    strips = [recorded_run.png(256, 256, 0)] * 18
    laid = layout(strips, 1)
    made = Image.open(io.BytesIO(atlas(strips, 1, quality=50)))
    assert made.size == (laid.columns * 256, 512)
    assert made.width <= WIDEST


def test_heat_tells_shares_as_they_are() -> None:
    steps = [recorded_run.maps(step) for step in range(3)]
    made = word_heat([one.tobytes() for one in steps], recorded_run.BLOCKS, recorded_run.GRID, (2, 5))
    scales = np.frombuffer(made, "<f4", recorded_run.BLOCKS * 2).reshape(-1, 2)
    heat = np.frombuffer(made, np.uint8, offset=scales.nbytes).reshape(recorded_run.BLOCKS, 3, 16, 16)
    for block, (low, high) in enumerate(scales):
        told = low + heat[block] / 255 * (high - low)
        wanted = np.stack([one[block, [2, 5]].astype(float).sum(0) for one in steps])
        assert np.abs(told - wanted).max() <= (high - low) / 255 + 1e-6
    with pytest.raises(ValueError, match="was not recorded"):
        word_heat([steps[0].tobytes()], recorded_run.BLOCKS, recorded_run.GRID, (77,))


def test_a_prompt_that_cannot_be_read_has_no_words() -> None:
    assert placed_words({"fault": "a weight is no number"}) == ()
