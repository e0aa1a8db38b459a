"""The hostile set in one process: each body at import and at every hook, in real jobs on a tiny model.

Whatever an extension does, the program goes on, the user is told by whom, and the job after has the pixels that it has
without it.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from textwrap import indent

import pytest
from PIL import Image

from tests.extensions.hostile_bodies import FAULTS, HELPERS, NOISY, REPLACING, WRONG
from tests.extensions.test_hostile import REQUEST as LONGER
from tests.extensions.test_hostile import Kitchen, same
from tests.extensions.toys import HEAD, JOB_HOOKS, good, toy
from tests.processing.reporters import Silent
from webui.domain.errors import WebuiError
from webui.extension_api.hookspecs import JobSpec
from webui.plugins.codetrace import CodeTrace
from webui.plugins.loader import Loaded, load_all

pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
REQUEST = LONGER.with_(steps=2)
HOOKS = (*JOB_HOOKS, "use_networks(self, networks)", "embeddings(self)")
# These are called before the work begins.
EARLY = ("join_job", "edit_request", "plan_images", "edit_image_request", "use_networks", "embeddings", "patch_model")
TENSORS = ("edit_conditioning", "pre_step", "unet_residuals", "edit_denoised", "post_step", "edit_pixels")
DOING, WHERE = "HOSTILE_DOING", "HOSTILE_WHERE"  # in the environment: the name of a body, and hooks
BODIES = {**FAULTS, **NOISY, **WRONG}
# Below the helpers in each extension: every body as a function, and what calls the one that was chosen.
ACTS = f"""
import os
import sys
hostile = sys.modules[__name__]
bodies = {{}}

def act(hook, given):
    return bodies[os.environ[{DOING!r}]](given) if hook in os.environ[{WHERE!r}].split() else None
""" + "".join(f"\ndef body(given):\n{indent(body, '    ')}\nbodies[{name!r}] = body\n" for name, body in BODIES.items())
GIVEN: Mapping[str, str] = {"pre_step": "latents", "edit_denoised": "denoised", "post_step": "latents"}


def hook_of(signature: str) -> str:
    return signature.partition("(")[0]


def hostile(folder: Path, signature: str, body: str, name: str = "") -> None:
    """An extension that does it in one hook of every job."""
    hook = hook_of(signature)
    arguments = [one.strip() for one in signature.partition("(")[2].rstrip(")").split(",")]
    given = GIVEN.get(hook, arguments[1] if len(arguments) > 1 else "None")
    code = f"from . import hostile\nclass Member:\n    @hookimpl\n    def {signature}:\n        given = {given}\n"
    code += indent(body, "        ") + "\n@hookimpl\ndef join_job(job):\n    return Member()\n"
    place = toy(folder, name or f"bad_{hook}", "", hostile=HELPERS + ACTS)
    (place / "plugin.py").write_text(HEAD + code)


def joining(folder: Path, body: str) -> None:
    """An extension that does it when it joins."""
    place = toy(folder, "bad_join_job", "", hostile=HELPERS + ACTS)
    code = f"from . import hostile\n@hookimpl\ndef join_job(job):\n    given = job.request\n{indent(body, '    ')}\n"
    (place / "plugin.py").write_text(HEAD + code)


@pytest.fixture(scope="module")
def kitchen(tiny_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Kitchen:
    return Kitchen(tmp_path_factory.mktemp("data"), tiny_models_dir)


@pytest.fixture(scope="module")
def plain(kitchen: Kitchen) -> Image.Image:
    return kitchen.pipeline(Path("nowhere")).run(REQUEST, Silent()).images[0].image


@pytest.fixture(scope="module")
def trace(plain: Image.Image) -> CodeTrace:
    """All code as it is once a job has loaded what jobs need."""
    return CodeTrace()


@pytest.fixture
def all_as_before(trace: CodeTrace) -> Iterator[None]:
    """Nothing of the program, of its libraries or of Python is another thing afterwards."""
    yield
    assert trace.undo() == {}


@pytest.fixture
def told_by(kitchen: Kitchen, plain: Image.Image, all_as_before: None) -> Callable[[Path | Loaded], dict[str, str]]:
    """Runs jobs with extensions until there is a picture, then one more, which must have the right pixels; gives what
    the user was told, by name.
    """

    def running(extensions: Path | Loaded) -> dict[str, str]:
        back = kitchen.pipeline(extensions)
        told: dict[str, str] = {}
        for _ in range(len(EARLY) + 1):
            try:
                result = back.run(REQUEST, Silent())
            except WebuiError as error:
                found = re.search(r"extension (bad_\w+),", str(error))
                if found is None:
                    raise
                told[found[1]] = str(error)
            else:
                told |= {notice.source: notice.text for notice in result.notices}
                assert len(result.images) == 1
                break
        assert same(back.run(REQUEST, Silent()), plain)
        return told

    return running


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory: pytest.TempPathFactory, kitchen: Kitchen) -> Loaded:
    """One extension for each hook, which does there what the environment says."""
    folder = tmp_path_factory.mktemp("everywhere")
    for one in HOOKS:
        hostile(folder, one, f"return hostile.act({hook_of(one)!r}, given)")
    joining(folder, "return hostile.act('join_job', given)")
    return load_all(folder)


@pytest.fixture
def attack(
    everywhere: Loaded, told_by: Callable[[Path | Loaded], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., set[str]]:
    """Has one extension for each hook do something in jobs; gives the names that the user was told."""

    def attacking(name: str, hooks: Collection[str] = (*map(hook_of, HOOKS), "join_job")) -> set[str]:
        monkeypatch.setenv(DOING, name)
        monkeypatch.setenv(WHERE, " ".join(hooks))
        return set(told_by(everywhere))

    return attacking


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_at_every_hook(attack: Callable[..., set[str]], name: str) -> None:
    assert attack(name) == {f"bad_{hook_of(one)}" for one in HOOKS} | {"bad_join_job"}


@pytest.mark.parametrize("name", NOISY)
def test_noise_at_every_hook(attack: Callable[..., set[str]], name: str) -> None:
    assert attack(name) == set()


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_at_every_hook(attack: Callable[..., set[str]], name: str) -> None:
    every = [hook_of(one) for one in HOOKS]  # any object may join, with hooks or without
    hooks = every if name == "of no kind" else [hook for hook in every if hook in TENSORS]
    assert attack(name, hooks) == {f"bad_{hook}" for hook in hooks}


@pytest.mark.parametrize("signature", ["pre_step(self, latents)", "edit_image(self)"])
def test_replacing_code_in_a_hook(
    tmp_path: Path, told_by: Callable[[Path | Loaded], dict[str, str]], signature: str
) -> None:
    """One extension for each thing that is replaced. What one did is undone before the next is called."""
    names = {f"bad_{number}": body for number, body in enumerate(REPLACING.values())}
    for name, body in names.items():
        hostile(tmp_path, signature, body, name)
    told = told_by(tmp_path)
    assert told.keys() == names.keys()
    assert all("replaced " in text for text in told.values()), told


def test_at_import(tmp_path: Path, all_as_before: None) -> None:
    for number, body in enumerate([*FAULTS.values(), *REPLACING.values()]):
        toy(tmp_path, f"bad_{number}", body)
    good(tmp_path)
    infos = {info.name: info for info in load_all(tmp_path).infos}
    assert infos.pop("good").state == "ok"
    assert len(infos) == len(FAULTS) + len(REPLACING)
    assert all(info.state == "failed" and info.error for info in infos.values()), infos


def test_noise_at_import(tmp_path: Path) -> None:
    for number, body in enumerate(NOISY.values()):
        toy(tmp_path, f"bad_{number}", body)
    assert {info.state for info in load_all(tmp_path).infos} == {"ok"}


def test_every_hook_is_attacked() -> None:
    assert {hook_of(one) for one in HOOKS} == {name for name in vars(JobSpec) if not name.startswith("_")}
