"""Several devices: one request's batches on two workers are one worker's pictures, whatever becomes of a worker."""

from functools import partial
from pathlib import Path

from tests.executors.six_batches import check_a_kill
from tests.forked import births
from webui.executors.local import LocalExecutor
from webui.executors.pool import devices_here
from webui.executors.protocol import Executor


def process(executor: Executor) -> int:
    assert isinstance(executor, LocalExecutor)
    return executor.pid


def test_a_worker_that_is_killed_in_the_middle_of_a_request_loses_and_doubles_nothing(
    tiny_models_dir: Path, tmp_path: Path
) -> None:
    check_a_kill(partial(devices_here, births=births()), process, tiny_models_dir, tmp_path)
