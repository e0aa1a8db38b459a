"""The executor of hosts with Ray itself and two actors on this machine: `python launch.py test --ray` runs this.

It is no part of the other tests, because ray is large. Those try the same with a stand-in (`test_ray_hosts.py`).
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.executors.six_batches import check_a_kill
from tests.executors.watching import Listener, wanted
from webui.domain.errors import Cancelled, UnusableFileError
from webui.domain.settings import BackSettings
from webui.executors.protocol import Executor, ImageMade, Progressed
from webui.executors.ray_hosts import HostLane, RayHostsExecutor, cards_of, joined
from webui.executors.running import FACTORY


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    import ray  # type: ignore[import-not-found, unused-ignore]

    joined(ray, num_cpus=4)
    yield ray
    ray.shutdown()


def process(executor: Executor) -> int:
    assert isinstance(executor, HostLane)
    return executor.pid()


def test_an_actor_that_is_killed_in_the_middle_of_a_request_loses_and_doubles_nothing(
    ray: Any, tiny_models_dir: Path, tmp_path: Path
) -> None:
    check_a_kill(partial(cards_of, ray, FACTORY), process, tiny_models_dir, tmp_path)


def test_jobs_are_cancelled_skipped_and_loaded_on_actors(ray: Any, tmp_path: Path) -> None:
    heard = Listener()
    settings = BackSettings(data_dir=tmp_path, device="cpu,cpu")
    executor = RayHostsExecutor(settings, heard, ray=ray, factory="tests.executors.prompted_back:build")
    try:
        executor.load("tiny")
        with pytest.raises(UnusableFileError, match="truncated"):
            executor.load("broken")
        for job_id in ("one", "two"):
            executor.submit(job_id, wanted("slow", steps=100, n_iter=1000))
        for job_id in ("one", "two"):
            heard.wait_for(job_id, Progressed)
        executor.cancel("one")
        assert isinstance(heard.failed("one").error, Cancelled) or heard.images("one")
        heard.wait_for("two", ImageMade)
        executor.finish("two")
        made = heard.result("two")
        assert made.interrupted
        assert [image.index for image in made.images] == [*range(len(made.images))]
        executor.renew(settings.model_copy(update={"device": "cuda"}))  # there is none, so that no actor can be placed
        executor.renew(settings)
        executor.submit("after", wanted("quick", n_iter=3))
        assert len(heard.result("after").images) == 3
    finally:
        executor.close()
