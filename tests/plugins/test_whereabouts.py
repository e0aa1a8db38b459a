"""The marks that tell in whose code a process is: seen from outside, also when the process is dead."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.extensions.toys import good
from webui.executors.hooklimit import HookLimit
from webui.plugins.calling import Calls, ExitError, ExtensionError
from webui.plugins.crashes import DEATHS, REMEMBERED, CrashGuard, CrashRegister
from webui.plugins.whereabouts import SharedWhereabouts, Whereabout, Whereabouts

DYING = """
import os, sys
from webui.plugins.whereabouts import Whereabouts
marks = Whereabouts.of(sys.argv[1])
with marks.inside("polite", "edit_image"):
    pass
marks.enter("deadly", "pre_step")
os._exit(9)
"""


def places(marks: Whereabouts) -> list[tuple[str, str]]:
    return [(place.extension, place.hook) for place in marks.now()]


def test_a_mark_outlives_its_process() -> None:
    shared = SharedWhereabouts()
    assert subprocess.run([sys.executable, "-c", DYING, shared.file], check=False).returncode == 9
    (place,) = shared.now()
    assert (place.extension, place.hook) == ("deadly", "pre_step")
    assert not os.path.exists(shared.file)


def test_calls_inside_each_other_come_back_to_the_outer_one() -> None:
    marks = Whereabouts()
    with marks.inside("outer", "join_job"):
        with marks.inside("inner", "patch_model"):
            assert places(marks) == [("inner", "patch_model")]
        assert places(marks) == [("outer", "join_job")]
        with marks.outside():
            assert places(marks) == []
        assert places(marks) == [("outer", "join_job")]
    assert places(marks) == []


def test_threads_have_marks_of_their_own() -> None:
    marks, entered, leave = Whereabouts(), threading.Event(), threading.Event()

    def light() -> None:
        with marks.inside("b", "action look"):
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=light)
    with marks.inside("a", "pre_step"):
        thread.start()
        entered.wait(10)
        assert places(marks) == [("a", "pre_step"), ("b", "action look")]
        leave.set()
        thread.join()
        assert places(marks) == [("a", "pre_step")]


def test_names_of_any_length_and_script_are_kept_apart() -> None:
    marks = Whereabouts()
    with marks.inside("ü" * 500, "pre_step"):
        (place,) = marks.now()
        assert place.extension.startswith("üüü")
    assert marks.now() == ()


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_hook_is_stuck_when_its_pulse_stands_still_for_the_deadline() -> None:
    clock, marks = Clock(), Whereabouts()
    limit = HookLimit(10.0, clock)
    tick = marks.ticker()
    with marks.inside("slow", "pre_step"):
        for _ in range(5):
            assert limit.stuck(marks.now()) is None
            clock.now += 9
            tick()  # progress
        assert limit.stuck(marks.now()) is None
        clock.now += 10
        stuck = limit.stuck(marks.now())
        assert stuck is not None
        assert stuck.extension == "slow"
        assert limit.remaining() <= 2.5
    assert limit.stuck(marks.now()) is None


def test_without_a_deadline_nothing_is_ever_stuck() -> None:
    clock = Clock()
    limit = HookLimit(0, clock)
    place = Whereabout("slow", "pre_step", 0, 1)
    assert limit.stuck([place]) is None
    clock.now += 1e9
    assert limit.stuck([place]) is None
    assert limit.remaining() == float("inf")


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), BaseException("x")])
def test_what_would_end_the_program_is_an_error_of_the_extension(error: BaseException) -> None:
    said = "sys.exit" if isinstance(error, SystemExit) else type(error).__name__
    with pytest.raises(ExitError, match=said), Calls().inside("bad", "pre_step"):
        raise error


def test_what_it_leaves_changed_is_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.getcwd()
    with pytest.raises(ExtensionError, match="the working directory"), Calls().inside("bad", "pre_step"):
        os.chdir(tmp_path)
    assert os.getcwd() == before
    with (tmp_path / "out").open("w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with pytest.raises(ExtensionError, match="the standard output"), Calls().inside("bad", "pre_step"):
            sys.stdout.close()
        sys.stdout.write("can be written again")
        with pytest.raises(ExtensionError, match="the standard output"), Calls().inside("bad", "pre_step"):
            monkeypatch.setattr(sys, "stdout", None)
        assert sys.stdout is not None


CLOSING = """
import os, sys
from webui.plugins.calling import Calls, ExtensionError
calls = Calls()
for number in (1, 2):
    try:
        with calls.inside("bad", "pre_step"):
            os.close(number)
    except ExtensionError as error:
        print(error)
print("heard")
print("on both", file=sys.stderr)
"""


def test_descriptors_that_it_closes_are_opened_again() -> None:
    done = subprocess.run([sys.executable, "-c", CLOSING], capture_output=True, text=True, check=True)
    assert done.stdout.count("the standard output") == 2
    assert done.stdout.endswith("heard\n")
    assert done.stderr == "on both\n"


def test_two_deaths_set_an_extension_aside_until_it_is_forgiven_or_changes(tmp_path: Path) -> None:
    place, file, clock = good(tmp_path / "e"), tmp_path / "c" / "crashes.json", Clock()
    register = CrashRegister(tmp_path / "e", file, clock)
    assert not register.note("good", "pre_step: exit code 9")
    assert CrashGuard(tmp_path / "e", file).broken() == {}
    with CrashGuard(tmp_path / "e", file).around("good"):
        pass  # that it can be loaded is no excuse
    assert register.note("good", "edit_image: signal 11")
    why = CrashGuard(tmp_path / "e", file).broken()["good"]
    assert "pre_step: exit code 9; edit_image: signal 11" in why
    assert "switch it on" in why
    register.forget("good")
    assert CrashGuard(tmp_path / "e", file).broken() == {}
    for _ in range(DEATHS):
        register.note("good", "pre_step: exit code 9")
    (place / "work.py").write_text("def mark(word):\n    return word\n")
    assert CrashGuard(tmp_path / "e", file).broken() == {}


def test_a_death_of_long_ago_counts_no_more(tmp_path: Path) -> None:
    good(tmp_path / "e")
    clock = Clock()
    register = CrashRegister(tmp_path / "e", tmp_path / "crashes.json", clock)
    assert not register.note("good", "pre_step: exit code 9")
    clock.now += REMEMBERED + 1
    assert not register.note("good", "pre_step: exit code 9")
    assert register.note("good", "pre_step: exit code 9")
    assert not register.note("nobody", "pre_step: exit code 9")


def test_two_workers_on_one_data_folder_do_not_take_each_other_for_dead(tmp_path: Path) -> None:
    """The second starts while the first loads; only a loader that has ended counts as a death."""
    good(tmp_path / "e")
    file = tmp_path / "crashes.json"
    code = (
        "import sys; from pathlib import Path; from webui.plugins.crashes import CrashGuard\n"
        "entered = CrashGuard(Path(sys.argv[1]), Path(sys.argv[2])).around('good'); entered.__enter__()\n"
        "print('loading', flush=True); sys.stdin.readline()"
    )
    for _ in range(DEATHS):
        command = [sys.executable, "-c", code, str(tmp_path / "e"), str(file)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as loader:
            assert loader.stdout is not None
            assert loader.stdout.readline() == "loading\n"
            guard = CrashGuard(tmp_path / "e", file)
            assert guard.broken() == {}
            with guard.around("good"):
                pass
            loader.kill()
    assert "good" in CrashGuard(tmp_path / "e", file).broken()
