"""A new worker for new settings: the job in work ends on the old one, those behind it run on the new one."""

from pathlib import Path

from tests.executors.watching import Listener, is_alive, local, pids, until, wanted
from webui.domain.settings import BackSettings
from webui.executors.protocol import Started


def test_the_job_in_work_ends_first(tmp_path: Path) -> None:
    heard = Listener()
    executor = local(tmp_path, heard)
    try:
        executor.submit("long", wanted("slow", steps=30))
        executor.submit("next", wanted("quick"))
        heard.wait_for("long", Started)
        executor.renew(BackSettings(data_dir=tmp_path))
        assert heard.result("long").images
        assert len(pids(tmp_path)) == 1 or is_alive(pids(tmp_path)[1])
        assert heard.result("next").images
        first, second = pids(tmp_path)
        until(lambda: not is_alive(first), "the old worker lives on")
        for _ in range(4):  # several wishes at once are one, and wanted ends are no deaths
            executor.renew(BackSettings(data_dir=tmp_path))
        executor.submit("last", wanted("quick"))
        assert heard.result("last").images
        assert pids(tmp_path)[-1] != second
    finally:
        executor.close()
