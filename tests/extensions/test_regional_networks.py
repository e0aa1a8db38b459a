"""Networks of regions: in latent mode a LoRA acts in the run of its region, and nowhere else."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from extensions.lora.tags import acting_in
from extensions.regions.options import RegionsOptions
from extensions.regions.regional_networks import RegionalNetworks
from tests.exact_back import exact_back
from tests.extensions.toys import member
from tests.processing.reporters import Silent
from webui.domain.recording import RecordedPart
from webui.domain.request import GenerationRequest
from webui.extension_api import extra_networks
from webui.processing.back import Back

ROOT = Path(__file__).parents[2]
LORA = "<lora:tiny-lora:0:3>"  # in the UNet alone
WATCHING = """
def __init__(self, job):
    self.job = job

@hookimpl
def post_step(self, step, latents, denoised):
    self.job.record("latents", latents.numpy().tobytes())
"""


class Watching(Silent):
    """Keeps the last latents."""

    latents = b""

    def recorded(self, part: RecordedPart) -> None:
        self.latents = part.data


@pytest.fixture(scope="module")
def back(tiny_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Back]:
    folder = tmp_path_factory.mktemp("data")
    for name in ("lora", "regions"):
        shutil.copytree(ROOT / "extensions" / name, folder / "e" / name)
    place = member(folder / "e", "watcher", WATCHING)
    code = (place / "plugin.py").read_text()
    (place / "plugin.py").write_text(code.replace("return Member()", "return Member(job)"))
    made = exact_back(models_dir=tiny_models_dir, data_dir=folder, extensions_dir=folder / "e")
    yield made
    made.close()


def halves(back: Back, prompt: str, **options: object) -> tuple[np.ndarray, np.ndarray]:
    """The latents of the left and of the right half after one step."""
    request = GenerationRequest(
        prompt=prompt, checkpoint="tiny-sd1", sampler="Euler", steps=1, seed=5, width=64, height=64,
        extensions={"regions": {"calculation": "Latent", **options}},
    )  # fmt: skip
    watching = Watching()
    result = back.run(request, watching)
    assert not result.notices
    latents = np.frombuffer(watching.latents, np.float32).reshape(4, 8, 8)
    return latents[:, :, :4], latents[:, :, 4:]


def test_a_network_acts_in_its_region_alone(back: Back) -> None:
    none = halves(back, "a BREAK b")
    left = halves(back, f"a {LORA} BREAK b")
    right = halves(back, f"a BREAK b {LORA}")
    both = halves(back, f"a {LORA} BREAK b {LORA}")
    common = halves(back, f"c {LORA} ADDCOMM a BREAK b", use_common=True)
    plain = halves(back, "c ADDCOMM a BREAK b", use_common=True)
    for with_it, without in ((left, right), (both, none)):
        assert not same(with_it[0], without[0])
    assert same(left[0], both[0])
    assert same(left[1], none[1])
    assert same(right[0], none[0])
    assert same(right[1], both[1])
    assert not any(map(same, common, plain))
    assert all(map(same, halves(back, "a BREAK b"), none))


def same(one: np.ndarray, other: np.ndarray) -> bool:
    """Calls of other numbers of rows add up in another order."""
    return bool(np.allclose(one, other, atol=1e-3))


def test_each_region_has_the_tags_of_its_text() -> None:
    networks = RegionalNetworks(RegionsOptions(calculation="Latent", use_base=True, use_common=True))
    prompt = "c <lora:c:1> ADDCOMM d ADDBASE a <lora:a:1> BREAK b"
    networks.note_prompt(GenerationRequest(prompt=prompt))
    plain, found = extra_networks(prompt)
    networks.begin(found)
    each = networks.of(plain, 3)
    assert each is not None
    assert [[tag.positional[0] for tag in one] for one in each] == [["c"], ["c", "a"], ["c"]]
    assert networks.of("another", 3) is None
    networks.begin(found[:1])  # another pass, which has other networks
    assert networks.of(plain, 3) is None


def test_a_network_that_is_there_twice_acts_as_often_as_it_is_named() -> None:
    _, once = extra_networks("<lora:a:1>")
    assert acting_in(once, ("a", "b", "a")) == (True, False, False)
    assert acting_in((*once, *once), ("a", "b", "a")) == (True, False, True)
    assert acting_in((), ("a",)) == (False,)
