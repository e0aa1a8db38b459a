"""What a killed process leaves half written is removed at the next start, and nothing else is."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from webui.domain.settings import Settings
from webui.library.unfinished import remove_abandoned, unfinished, write_atomically
from webui.server.app import written_folders

ROOT = Path(__file__).parents[2]
# a picture and a settings file, each caught after its bytes are written and before it gets its name
WRITER = """
import os, sys, threading, time
from pathlib import Path
from PIL import Image
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage
from webui.domain.settings import Settings
from webui.library.unfinished import write_atomically
from webui.output.store import ImageStore

folder = Path(sys.argv[1])
def caught(*_):
    time.sleep(600)
os.fsync = caught
made = GeneratedImage(Image.new("RGB", (64, 64)), GenerationRequest(), "text", 0, 1)
store = ImageStore.from_settings(Settings(outputs_dir=folder / "outputs"))
threading.Thread(target=store.save, args=(made,), kwargs={"folder": "txt2img-images"}).start()
write_atomically(folder / "data" / "styles.csv", b"new" * 1000, durable=True)
"""


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def killed_while_writing(folder: Path) -> list[Path]:
    """Start a writer, kill it by signal 9 in the middle, and give back what it left."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], cwd=ROOT)
    try:
        for _ in range(600):
            left = [path for path in files(folder) if path.suffix == ".tmp" and path.stat().st_size]
            if len(left) == 2 or writer.poll() is not None:
                break
            time.sleep(0.05)
        assert writer.poll() is None
        assert remove_abandoned([folder]) == ()  # it lives and will finish what it writes
        assert [path for path in files(folder) if path.suffix == ".tmp"] == left
    finally:
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
    assert len(left) == 2
    return left


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_what_a_killed_process_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    styles = tmp_path / "data" / "styles.csv"
    styles.parent.mkdir()
    styles.write_bytes(b"old")
    left = killed_while_writing(tmp_path)
    settings = Settings(data_dir=tmp_path / "data", outputs_dir=tmp_path / "outputs", models_dir=tmp_path / "models")
    start = "import sys; from webui.library.unfinished import remove_abandoned as r; from pathlib import Path"
    folders = [str(one) for one in written_folders(settings)]
    again = subprocess.run(
        [sys.executable, "-c", f"{start}; print(len(r(map(Path, sys.argv[1:]))))", *folders],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert again.stdout.strip() == str(len(left))
    assert files(tmp_path) == [styles]
    assert styles.read_bytes() == b"old"


def aged(path: Path, seconds: float = 10**7) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    os.utime(path, (time.time() - seconds,) * 2)
    return path


def test_only_what_is_certainly_ours_and_dead_is_removed(tmp_path: Path) -> None:
    mine = unfinished(tmp_path / "deep" / "model.safetensors")
    dead = mine.with_name(mine.name.replace(f"-{os.getpid()}-", "-999999999-"))
    kept = [
        aged(tmp_path / "theirs.tmp"),
        aged(tmp_path / ".0123456789abcdef.tmp"),
        aged(tmp_path / "download.part"),
        aged(tmp_path / f"{dead.name}.txt"),
        aged(mine.with_name(".a.webui-00000000-999999999-01234567.tmp")),  # of another machine
    ]
    mine.write_bytes(b"being written")
    aged(dead)
    reused = aged(mine.with_name(mine.name.replace(mine.name[-12:-4], "89abcdef")))  # before this process was there
    folder = unfinished(tmp_path / "converting")
    folder = folder.with_name(folder.name.replace(f"-{os.getpid()}-", "-999999999-"))
    aged(folder / "model.safetensors")
    assert set(remove_abandoned([tmp_path])) == {dead, reused, folder}
    assert files(tmp_path) == sorted([*kept, mine])


def test_links_are_not_followed(tmp_path: Path) -> None:
    name = unfinished(Path("x")).name.replace(f"-{os.getpid()}-", "-999999999-")
    outside = aged(tmp_path / "outside" / name)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link").symlink_to(outside.parent, target_is_directory=True)
    (inside / name).symlink_to(outside.parent, target_is_directory=True)
    assert remove_abandoned([inside, tmp_path / "missing"]) == (inside / name,)
    assert outside.exists()


def test_a_write_that_fails_leaves_the_old_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    write_atomically(path, b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new", durable=True)
    assert files(tmp_path) == [path]
    assert path.read_bytes() == b"old"


def test_folders_inside_others_are_looked_at_once(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, outputs_dir=tmp_path / "outputs", models_dir=tmp_path.parent / "models")
    assert written_folders(settings) == tuple(sorted((tmp_path, tmp_path.parent / "models")))


def test_a_long_name_stays_within_what_file_systems_take(tmp_path: Path) -> None:
    assert len(unfinished(tmp_path / ("é" * 200)).name.encode()) < 255
