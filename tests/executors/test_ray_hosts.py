"""Jobs on several hosts, with a stand-in for Ray: deaths, what a host lacks, and what Ray is asked for.

`real_ray.py` beside this has Ray itself.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.executors.stand_in_ray import StandInRay
from tests.executors.watching import Listener, until, wanted
from webui.domain.errors import BackUnavailableError, UnknownModelError, WebuiError, WorkerDiedError
from webui.domain.result import Progress
from webui.domain.settings import BackSettings
from webui.executors.host_actor import here
from webui.executors.protocol import ImageMade, Progressed
from webui.executors.ray_hosts import RayHostsExecutor, cards_of

BACK = "tests.executors.prompted_back:build"


def executor_on(ray: StandInRay, settings: BackSettings, heard: Listener) -> RayHostsExecutor:
    return RayHostsExecutor(settings, heard, ray=ray, factory=BACK)


@pytest.fixture
def ray() -> Iterator[StandInRay]:
    made = StandInRay(CPU=2.0)
    yield made
    assert not made.is_initialized(), "the cluster was not left"


def test_the_batch_of_an_actor_that_dies_is_made_once_more(ray: StandInRay, tmp_path: Path) -> None:
    heard = Listener()
    executor = executor_on(ray, BackSettings(data_dir=tmp_path, device="cpu,cpu"), heard)
    try:
        executor.load("tiny")
        executor.submit("six", wanted("slow", steps=40, n_iter=6))
        until(lambda: [one for one in progress(heard, "six") if one.beside > 0])  # the second one has begun
        ray.actors[1].die()
        made = heard.result("six")
    finally:
        executor.close()
    assert [image.index for image in made.images] == [*range(6)]
    assert sorted(event.image.index for event in heard.of("six") if isinstance(event, ImageMade)) == [*range(6)]
    assert [notice for notice in made.notices if "cpu (2)" in notice.text and "made once more" in notice.text]


def test_a_batch_that_dies_twice_fails_the_job(ray: StandInRay, tmp_path: Path) -> None:
    heard = Listener()
    executor = executor_on(ray, BackSettings(data_dir=tmp_path, device="cpu,cpu"), heard)
    try:
        executor.submit("one", wanted("slow", steps=150))
        for times in (1, 2):
            until(lambda: sum(one.step == 1 for one in progress(heard, "one")) == times)  # noqa: B023 as it is used here
            for actor in ray.actors:
                actor.die()
        assert isinstance(heard.failed("one").error, WorkerDiedError)
        executor.submit("two", wanted("quick", n_iter=3))
        assert len(heard.result("two").images) == 3
    finally:
        executor.close()


def progress(heard: Listener, job_id: str) -> list[Progress]:
    told = [event.progress for event in heard.of(job_id) if isinstance(event, Progressed)]
    return [one for one in told if isinstance(one, Progress)]


def test_a_back_that_cannot_be_built_on_any_host_is_told(ray: StandInRay, tmp_path: Path) -> None:
    heard = Listener()
    executor = RayHostsExecutor(
        BackSettings(data_dir=tmp_path, device="cpu,cpu"),
        heard,
        ray=ray,
        factory="tests.executors.prompted_back:build_fails",
    )
    try:
        executor.submit("one", wanted("quick"))
        error = heard.failed("one").error
        assert (type(error), str(error)) == (BackUnavailableError, "device: there is no cpu")
    finally:
        executor.close()


def test_what_a_host_lacks_is_listed(ray: StandInRay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hosts have folders of their own, named by their variables."""
    mine, empty = tmp_path / "mine", tmp_path / "empty"
    for folder in (mine, empty):
        (folder / "Stable-diffusion").mkdir(parents=True)
    (mine / "Stable-diffusion" / "tiny-sd1.safetensors").write_bytes(b"weights")
    monkeypatch.setenv("WEBUI_MODELS_DIR", str(empty))
    heard = Listener()
    settings = BackSettings(models_dir=mine, data_dir=tmp_path, device="cpu,cpu")
    executor = executor_on(ray, settings, heard)
    try:
        executor.submit("one", wanted("quick", checkpoint="tiny-sd1.safetensors"))
        error = heard.failed("one").error
        assert isinstance(error, UnknownModelError)
        assert "lacks tiny-sd1.safetensors (sha256 " in str(error)
        assert str(empty) in str(error)
        (empty / "Stable-diffusion" / "tiny-sd1.safetensors").write_bytes(b"something else")
        with pytest.raises(UnknownModelError, match="the file of that name has"):
            executor.load("tiny-sd1.safetensors")
    finally:
        executor.close()


def test_an_actor_is_asked_for_each_card(ray: StandInRay, tmp_path: Path) -> None:
    settings = BackSettings(data_dir=tmp_path, device="all")
    cluster = StandInRay(GPU=3.0, CPU=8.0)
    assert [plan.settings.device for plan in cards_of(cluster, BACK, settings)] == ["cuda"] * 3
    with pytest.raises(BackUnavailableError, match="no graphics card"):
        cards_of(ray, BACK, settings)
    with pytest.raises(BackUnavailableError, match="write all"):
        cards_of(cluster, BACK, settings.model_copy(update={"device": "cuda:0,cuda:1"}))
    executor = executor_on(ray, settings.model_copy(update={"device": "cpu,cpu"}), Listener())
    executor.close()
    assert [(actor.options["num_cpus"], actor.options["num_gpus"]) for actor in ray.actors] == [(1, 0), (1, 0)]
    assert all(actor.options["max_restarts"] == -1 and not actor.options["max_task_retries"] for actor in ray.actors)
    assert ray.told["include_dashboard"] is False


def test_without_ray_the_command_that_installs_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(WebuiError, match=r"requirements-ray\.txt"):
        RayHostsExecutor(BackSettings(data_dir=tmp_path), Listener())


def test_the_variables_of_a_host_count_there() -> None:
    settings = BackSettings(models_dir=Path("models"), device="cuda")
    own = here(settings, {"WEBUI_MODELS_DIR": "elsewhere", "WEBUI_PRECISION": "fp16", "WEBUI_DEVICE": "cpu"})
    assert (own.models_dir, own.precision, own.device) == (Path("elsewhere"), "fp16", "cuda")
    assert here(settings, {}) is settings
