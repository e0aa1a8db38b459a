"""The report of `python launch.py doctor`: what is there, what does not work, and one line to do for each of it."""

from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file

from tests.library.small import small_checkpoint
from webui.commands import doctor
from webui.domain.settings import Settings
from webui.hardware.graphics_cards import GraphicsCard
from webui.library.passed_over import passed_over

RTX = GraphicsCard("nvidia", "RTX 3060", "550.54", 12288, (8, 6))
ON_CARD = {
    "version": "2.13.0+cu128", "device": "cuda:0", "format": "float16",
    "name": "RTX 3060", "free": 11 << 30, "memory": 12 << 30,
}  # fmt: skip
ON_CPU = {"version": "2.13.0+cpu", "device": "cpu", "format": "float32"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folders = {name: tmp_path / name for name in ("models", "data", "outputs", "extensions")}
    for folder in folders.values():
        folder.mkdir()
    return Settings(**{f"{name}_dir": folder for name, folder in folders.items()})


def report(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    cards: tuple[GraphicsCard, ...] = (),
    build: str = "",
    found: dict[str, Any] | None = None,
    problem: str = "",
) -> tuple[int, str, str]:
    """The code, what was found, and what to do, on a machine with these cards and this torch."""
    monkeypatch.setattr(doctor, "cards_here", lambda: cards)
    monkeypatch.setattr(doctor, "installed_build", lambda environment: build)
    monkeypatch.setattr(doctor, "_probed", lambda place: (found or {}, problem))
    code = doctor.run(settings)
    told, _, todo = capsys.readouterr().out.partition("what to do:")
    return code, told, todo


def checkpoint_in(settings: Settings) -> Path:
    file = settings.models_dir / "Stable-diffusion" / "small.safetensors"
    file.parent.mkdir()
    save_file(small_checkpoint(1), file)
    return file


def test_where_all_works_it_says_what_is_used_and_nothing_to_do(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint_in(settings)
    code, told, todo = report(settings, monkeypatch, capsys, cards=(RTX,), build="cuda", found=ON_CARD)
    assert code == doctor.OK
    assert "card: RTX 3060 (driver 550.54, 12288 MiB)" in told
    assert "jobs run on cuda:0 in float16" in told
    assert "11264 of 12288 MiB are free" in told
    assert "main memory:" in told
    for folder in ("models", "data", "pictures"):
        assert f"{folder}: " in told
    assert "usable model files: 1 checkpoint" in told
    assert "nothing to do" in told
    assert not todo


def test_a_card_that_torch_cannot_use_comes_with_the_command_that_mends_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint_in(settings)
    code, _, todo = report(settings, monkeypatch, capsys, cards=(RTX,), build="", found=ON_CPU)
    assert code == doctor.FAILED
    assert "launch.py setup --reinstall-torch" in todo


@pytest.mark.parametrize(
    ("problem", "said", "advice"),
    [
        (
            "webui.domain.errors.BadRequestError: device: 'cuda:3' is not available on this machine; use auto or cpu "
            "(`python launch.py doctor` says why)",
            "torch: device: 'cuda:3' is not available on this machine; use auto or cpu\n",
            "leave both at auto",
        ),
        ("ImportError: libcudart.so.12", "torch: ImportError: libcudart.so.12\n", "--reinstall-torch"),
    ],
)
def test_a_wrong_device_is_no_broken_torch(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    problem: str,
    said: str,
    advice: str,
) -> None:
    checkpoint_in(settings)
    _, told, todo = report(settings, monkeypatch, capsys, problem=problem)
    assert said in told
    assert advice in todo
    assert len(todo.strip().splitlines()) == 1


def test_broken_and_foreign_files_and_extensions_are_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = settings.models_dir / "Stable-diffusion"
    place.mkdir()
    (place / "page.safetensors").write_text("<html>not found</html>")
    (place / "big.safetensors.crdownload").write_bytes(b"0" * 10)
    broken = settings.extensions_dir / "broken"
    broken.mkdir()
    (broken / "extension.toml").write_text('name = "broken"\nversion = "1"\nhooks = 99\n')
    (broken / "plugin.py").write_text("")
    code, told, todo = report(settings, monkeypatch, capsys, found=ON_CPU)
    assert code == doctor.FAILED
    assert "card: none that torch could use; jobs run on the processor" in told
    assert "usable model files: none" in told
    assert f"unusable: {place / 'page.safetensors'}: " in told
    assert "big.safetensors.crdownload: an unfinished download" in told
    assert "extensions that work: none" in told
    for wanted in (f"move away {place / 'page.safetensors'}", f"put a checkpoint into {place}", "extension broken: "):
        assert wanted in todo


def test_what_is_passed_over_is_told_by_its_ending_and_its_place(tmp_path: Path) -> None:
    for name in (
        "Lora/pack.zip", "Lora/q.GGUF", "strange/a.safetensors", "top.pt", "lora/fine.safetensors", "Lora/notes.txt",
        "Lora/a.preview.png", ".cache/b.safetensors", "Lora/.a.webui-1.tmp", "VAE/deep/down/fine.pt",
    ):  # fmt: skip
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    found = {one.path.relative_to(tmp_path).as_posix(): one.what for one in passed_over(tmp_path)}
    assert found == {
        "Lora/pack.zip": "an archive",
        "Lora/q.GGUF": "a file of GGUF, which this program does not read",
        "strange/a.safetensors": "a model where no list looks",
        "top.pt": "a model where no list looks",
    }
