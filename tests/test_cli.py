"""Flags, settings files and the small promises of the command line: ports, locks, the end of a server."""

import asyncio
import contextlib
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.engine_bench import Bench, Hand
from tests.jobs.toys import TOY, ToyJob, image
from tests.narrowing import untyped
from webui.commands import cli
from webui.commands.arguments import parser
from webui.commands.cli import read_settings, settings_of, with_loras
from webui.commands.picture_flags import picture_fields
from webui.commands.written_pictures import image_format_of, write_whole
from webui.domain.errors import BackUnavailableError, Cancelled, WebuiError
from webui.domain.settings import Settings
from webui.executors.protocol import Failed, Work
from webui.jobs.job import Job
from webui.server import serving
from webui.server.datalock import DataLock

ROOT = Path(__file__).parents[1]


def _settings(*arguments: str) -> Settings:
    return settings_of(parser().parse_args(arguments))


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("WEBUI_"):
            monkeypatch.delenv(name)


def test_without_flags_the_defaults_hold() -> None:
    settings = _settings()
    assert (settings.host, settings.port, settings.api, settings.webui) == ("127.0.0.1", 7860, False, True)


def test_flags_before_and_after_the_command_count() -> None:
    assert _settings("--port", "1234", "serve").port == 1234
    assert _settings("serve", "--port", "1234").port == 1234
    assert _settings("--device", "cpu", "generate", "a cat").device == "cpu"
    settings = _settings("--nowebui", "--allowed-host", "a", "--allowed-host", "b", "--precision", "bf16")
    assert (settings.webui, settings.api, settings.port) == (False, True, 7860)
    assert (settings.allowed_hosts, settings.precision) == (("a", "b"), "bf16")
    assert (settings.executor, _settings("--executor", "inline").executor) == ("local", "inline")


def test_listen_opens_every_address() -> None:
    assert _settings("--listen").host == "0.0.0.0"
    assert _settings("--listen", "--host", "10.0.0.1").host == "10.0.0.1"


def test_layers_are_merged_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "settings.json").write_text(json.dumps({"port": 1, "device": "cpu", "threads": 3}))
    monkeypatch.setenv("WEBUI_PORT", "2")
    monkeypatch.setenv("WEBUI_THREADS", "4")
    settings = _settings("--data-dir", str(folder), "--port", "3")
    assert (settings.port, settings.threads, settings.device) == (3, 4, "cpu")


def test_a_broken_settings_file_is_kept_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "settings.json"
    for text in ("{", "[1]", "", "\0"):
        path.write_text(text)
        with caplog.at_level(logging.WARNING):
            assert read_settings(path) == {}
        assert not path.exists()
    assert sorted(kept.read_text() for kept in tmp_path.glob("settings.json.damaged-*")) == ["", "\0", "[1]", "{"]
    assert "kept as" in caplog.text


def test_only_wrong_keys_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"port": 99999, "device": "cpu", "nonsense": 1}))
    assert read_settings(path) == {"device": "cpu"}
    assert "port" in caplog.text
    assert "nonsense" in caplog.text


@pytest.mark.parametrize("arguments", [("--port", "70000"), ("--threads", "-1")])
def test_wrong_values_are_one_sentence(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == cli.FAILED
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert arguments[0].removeprefix("--") in told


@pytest.mark.parametrize("arguments", [("--no-such-flag",), ("--precision", "fp8"), ("generate",), ("--por", "1")])
def test_wrong_flags_end_with_usage(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == cli.USAGE


def test_files_are_whole_and_their_kind_is_checked_before_the_work(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.png"
    write_whole(path, b"abc")
    assert path.read_bytes() == b"abc"
    assert [found.name for found in path.parent.iterdir()] == ["a.png"]
    with pytest.raises(WebuiError, match="cannot be written"):
        write_whole(path / "below.png", b"")
    assert image_format_of(Path("a.JPG")) == "jpg"
    with pytest.raises(WebuiError, match="gif"):
        image_format_of(Path("a.gif"))


HOLD = (
    "import sys, time; from pathlib import Path; from webui.server.datalock import DataLock; "
    "lock = DataLock(Path(sys.argv[1])); sys.stdout.write('held\\n'); sys.stdout.flush(); time.sleep(60)"
)


def test_one_data_folder_has_one_server(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "held\n"
    with pytest.raises(WebuiError, match=f"process {other.pid}"):
        DataLock(tmp_path)
    other.kill()
    other.wait()
    other.stdout.close()
    lock = DataLock(tmp_path)  # a lock left by a killed process is no obstacle
    lock.close()
    lock.close()
    DataLock(tmp_path).close()


def test_a_taken_port_is_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(WebuiError, match=f"port {port}.*--port"):
            serving.listen("127.0.0.1", port)
    serving.listen("127.0.0.1", 0).close()


def test_small_answers_leave_at_once() -> None:
    """Else the body of each waits for the client's acknowledgement of its head, which comes after 40 ms."""

    async def nagle_is_off() -> bool:
        met: asyncio.Queue[int] = asyncio.Queue()

        def meet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            met.put_nowait(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with serving.listen("127.0.0.1", 0) as bound:
            async with await asyncio.start_server(meet, sock=bound):
                _, client = await asyncio.open_connection(*bound.getsockname())
                found = await met.get()
                client.close()
        return bool(found)

    assert asyncio.run(nagle_is_off())


def test_the_address_can_be_opened_in_a_browser() -> None:
    assert serving.address("0.0.0.0", 80) == "http://127.0.0.1:80"
    assert serving.address("::1", 80) == "http://[::1]:80"


def test_a_picture_that_nobody_can_make_ends_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = Bench(tmp_path)

    class NoWorker(Hand):
        def submit(self, job_id: str, work: Work) -> None:
            super().submit(job_id, work)
            self.tell(Failed(job_id, BackUnavailableError("device: there is no none")))

    @contextlib.contextmanager
    def engine_of(settings: object) -> Iterator[object]:
        engine = bench.engine(NoWorker)
        yield engine
        engine.close()

    monkeypatch.setattr("webui.server.app.engine_of", engine_of)
    monkeypatch.setattr(cli, "at_trained_size", lambda library, request: request)
    assert cli.main(["generate", "a cat", "--checkpoint", "tiny", "--data-dir", str(tmp_path / "data")]) == cli.FAILED
    assert "device: there is no none" in capsys.readouterr().err


class _Engine:
    """An engine whose running job is this one; it ends as soon as it is asked to."""

    def __init__(self, *, idle: bool = False) -> None:
        self.job = Job("a", TOY, "", self)
        self.job.note_started()
        self._idle = idle

    def rest(self) -> None: ...

    def running(self) -> tuple[ToyJob, ...]:
        return () if self._idle else (self.job,)

    def cancel(self, job_id: str) -> None:
        self.job.note_end(Cancelled("stopped"))

    def skip(self, job_id: str) -> None: ...
    def finish(self, job_id: str) -> None: ...


def test_the_picture_in_work_is_finished_and_no_other_is_begun() -> None:
    engine = _Engine()
    ending = threading.Thread(target=serving.finish_picture, args=(engine, 30.0))
    ending.start()
    time.sleep(0.1)
    assert not engine.job.ended
    engine.job.note_image(image())
    ending.join(10)
    assert engine.job.state == "cancelled"
    serving.finish_picture(untyped(_Engine(idle=True)), 30.0)


def test_a_job_whose_pictures_are_saved_is_left_for_the_next_start() -> None:
    engine = _Engine()
    engine.job.save = True
    serving.finish_picture(untyped(engine), 0.1)
    assert engine.job.state == "running"


def test_a_picture_that_takes_too_long_is_given_up() -> None:
    engine = _Engine()
    serving.finish_picture(untyped(engine), 0.1)
    assert engine.job.state == "cancelled"


def test_pictures_named_by_flags_become_the_task(tmp_path: Path) -> None:
    picture, mask = tmp_path / "image.png", tmp_path / "mask.png"
    Image.new("RGB", (70, 41), "red").save(picture)
    Image.new("L", (70, 41), 255).save(mask)
    flags = ["--init", str(picture), "--mask", str(mask), "--strength", "0.4", "--mask-blur", "2", "--only-masked"]
    fields = picture_fields(parser().parse_args(["generate", "a cat", *flags]))
    task = fields["task"]
    assert (fields["width"], fields["height"], task.denoising_strength) == (64, 40, 0.4)
    assert (task.inpainting.mask_blur_y, task.inpainting.area) == (2, "masked")
    grown = picture_fields(parser().parse_args(["generate", "a", "--init", str(picture), "--outpaint-left", "64"]))
    assert grown["task"].outpainting.left == 64
    assert picture_fields(parser().parse_args(["generate", "a cat"])) == {}
    for flags, message in ((["--mask", str(mask)], "--init"), (["--init", str(tmp_path / "no.png")], "no.png")):
        with pytest.raises(WebuiError, match=message):
            picture_fields(parser().parse_args(["generate", "a cat", *flags]))


def test_networks_become_tags_of_the_prompt() -> None:
    given = parser().parse_args(["generate", "a cat", "--lora", "ink:0.8", "--lora", "oil"])
    assert with_loras(given.prompt, given.loras) == "a cat <lora:ink:0.8> <lora:oil>"


@pytest.mark.parametrize("text", ["ink:much", ":1", "ink:1:1:1", "a>b", "ink:nan"])
def test_a_network_that_makes_no_tag_is_refused(text: str) -> None:
    with pytest.raises(WebuiError, match="write the name of a file in models/Lora"):
        with_loras("a cat", [text])
