"""Cards are found without torch, and the build of torch that goes with them is chosen."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import launch
from webui.hardware.graphics_cards import GraphicsCard, cards_here
from webui.hardware.torch_builds import choose, installed_build, unused

RTX = GraphicsCard("nvidia", "NVIDIA GeForce RTX 3060", "581.29", 12288, (8, 6))
PASCAL = GraphicsCard("nvidia", "NVIDIA GeForce GTX 1080", "581.29", 8192, (6, 1))
BLACKWELL = GraphicsCard("nvidia", "NVIDIA GeForce RTX 5080", "572.16", 16303, (12, 0))
RADEON = GraphicsCard("amd", "AMD card 0x744c")
ARC = GraphicsCard("intel", "Intel card 0x56a0")
CPU_BUILD, CUDA_BUILD = (
    "cuda: Optional[str] = None\nxpu = None\n",
    "cuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n",
)


def answering(**answers: str) -> Callable[[Sequence[str]], str]:
    """Commands that answer; a command that is not there answers nothing."""
    return lambda command: answers.get(command[0].replace("-", "_"), "")


def test_nvidias_cards_are_those_of_its_own_program(tmp_path: Path) -> None:
    told = "NVIDIA GeForce RTX 3060, 581.29, 12288, 8.6\nNVIDIA GeForce GTX 1080, 581.29, 8192, 6.1\n"
    assert cards_here(answering(nvidia_smi=told), tmp_path, "Linux", "x86_64") == (RTX, PASCAL)
    assert cards_here(answering(nvidia_smi="No devices were found\n"), tmp_path, "Linux", "x86_64") == ()


def test_linux_lists_the_cards_of_amd_and_intel(tmp_path: Path) -> None:
    for number, (vendor, device) in enumerate([("0x1002", "0x744c"), ("0x8086", "0x56a0"), ("0x8086", "0x3e92")]):
        folder = tmp_path / f"card{number}" / "device"
        folder.mkdir(parents=True)
        (folder / "vendor").write_text(f"{vendor}\n")
        (folder / "device").write_text(f"{device}\n")
    (tmp_path / "card0" / "device" / "mem_info_vram_total").write_text(f"{24 * 2**30}\n")
    found = cards_here(answering(), tmp_path, "Linux", "x86_64")  # the last is no card that torch could use
    assert found == (GraphicsCard("amd", "AMD card 0x744c", memory=24 * 1024), ARC)


def test_windows_and_apple_are_asked_in_their_own_way(tmp_path: Path) -> None:
    told = "Intel(R) Arc(TM) A770|32.0.1\nIntel(R) UHD Graphics|31.0\nAMD Radeon RX 7900|32.1\n"
    found = cards_here(answering(powershell=told), tmp_path, "Windows", "AMD64")
    assert [(card.maker, card.driver) for card in found] == [("intel", "32.0.1"), ("amd", "32.1")]
    assert [card.maker for card in cards_here(answering(), tmp_path, "Darwin", "arm64")] == ["apple"]
    assert cards_here(answering(), tmp_path, "Darwin", "x86_64") == ()


@pytest.mark.parametrize(
    ("cards", "builds", "said"),
    [
        ((), (), "no graphics card"),
        ((RTX,), ("cu130", "cu128", "cu126"), "CUDA 13"),
        ((PASCAL,), ("cu126",), "CUDA 12.6"),
        ((BLACKWELL,), ("cu128",), "as far as its driver goes"),
        ((GraphicsCard("nvidia", "NVIDIA GTX 980", "470.1", 4096, (5, 2)),), (), "install a newer one"),
        ((RADEON, ARC), ("rocm7.2", "rocm7.1", "rocm7.0", "rocm6.4"), "ROCm"),
        ((ARC,), ("xpu",), "Intel's cards"),
        ((GraphicsCard("apple", "Apple arm64"),), (), "mps"),
    ],
)
def test_the_build_follows_card_and_driver(cards: tuple[GraphicsCard, ...], builds: tuple[str, ...], said: str) -> None:
    choice = choose(cards, "Linux")
    assert choice.builds == builds
    assert said in choice.told


def test_a_card_that_torch_cannot_use_is_told_with_what_mends_it(tmp_path: Path) -> None:
    assert installed_build(tmp_path) is None
    version = tmp_path / "lib" / "python3.12" / "site-packages" / "torch" / "version.py"
    version.parent.mkdir(parents=True)
    version.write_text(CPU_BUILD)
    assert installed_build(tmp_path) == ""
    assert unused((RTX,), "").endswith("python launch.py setup --reinstall-torch")
    version.write_text(CUDA_BUILD)
    assert installed_build(tmp_path) == "cuda"
    assert [unused((RTX,), "cuda"), unused((), ""), unused((RTX,), None)] == ["", "", ""]
    assert unused((RADEON,), "cuda")


class Pip:
    """Notes from where torch is installed; only some indices can be reached."""

    def __init__(self, *reachable: str) -> None:
        self.asked: list[str] = []
        self._reachable = reachable

    def __call__(self, what: str, *command: str | Path, hint: str = "") -> None:
        words = [str(part) for part in command]
        index = words[words.index("--index-url") + 1] if "--index-url" in words else "plain"
        self.asked.append(index.rpartition("/")[2])
        if self.asked[-1] not in self._reachable:
            raise launch.SetupFailed(f"{what} failed")


@pytest.mark.parametrize(
    ("given", "reachable", "asked"),
    [
        ("", ("cu128",), ["cu130", "cu128"]),
        ("", ("plain",), ["cu130", "cu128", "cu126", "plain"]),
        ("https://example.org/own", ("own",), ["own"]),
    ],
)
def test_an_index_that_cannot_be_reached_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], given: str, reachable: tuple[str, ...],
    asked: list[str],
) -> None:  # fmt: skip
    pip = Pip(*reachable)
    monkeypatch.setattr(launch, "run", pip)
    monkeypatch.setattr("webui.hardware.graphics_cards.cards_here", lambda: (RTX,))
    launch.install_torch(("pip",), given, "hint")
    assert pip.asked == asked
    assert ("found NVIDIA GeForce RTX 3060" in capsys.readouterr().out) == (not given)
