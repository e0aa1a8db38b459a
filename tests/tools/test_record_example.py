"""The run that ships with the page is what the miniature does, and small; what is packed comes back."""

import io
import json

import numpy as np
from PIL import Image

from tools.record_example import PROMPT, record
from webui.api.page.example_run import FILE, ExampleRun, example_run, packed, unpacked

SEEN = 3  # steps that are made again
LARGEST = 400 * 1024


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def maps(run: ExampleRun, step: int) -> np.ndarray:
    told = json.loads(run.parts["run"])
    return np.frombuffer(run.parts[f"maps_{step}"], "<f2").reshape(len(told["blocks"]), -1, 16, 16).astype(float)


def test_the_bundled_run_is_made_again_and_small() -> None:
    """Its first steps; the rest follows from them."""
    assert FILE.stat().st_size < LARGEST
    bundled, again = example_run(), record(SEEN)
    told, now = json.loads(bundled.parts["run"]), json.loads(again.parts["run"])
    assert (len(told["steps"]), told["is_done"], told["total"]) == (20, True, now["total"])
    assert bundled.request == again.request
    assert bundled.parts["parts"] == again.parts["parts"]
    assert told["blocks"] == now["blocks"]
    tokens = len(PROMPT.split()) + 2
    for step in range(SEEN):
        for name, value in now["steps"][step].items():
            assert np.isclose(told["steps"][step][name], value, rtol=1e-3, atol=1e-4), name
        assert np.abs(pixels(bundled.parts[f"latents_{step}"]) - pixels(again.parts[f"latents_{step}"])).max() <= 3
        assert np.abs(pixels(bundled.parts[f"clean_{step}"]) - pixels(again.parts[f"clean_{step}"])).mean() < 4
        assert np.abs(maps(bundled, step)[:, :tokens] - maps(again, step)[:, :tokens]).max() < 0.006


def test_what_is_packed_comes_back() -> None:
    run = example_run()
    again = unpacked(packed(run))
    assert again.request == run.request
    assert set(again.parts) == set(run.parts)
    for step in (0, 19):
        assert np.array_equal(maps(again, step), maps(run, step))
        assert np.array_equal(pixels(again.parts[f"latents_{step}"]), pixels(run.parts[f"latents_{step}"]))
