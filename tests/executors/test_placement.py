"""Which worker gets which device, and what it is told to see, without any card."""

import pytest

from webui.domain.errors import BackUnavailableError
from webui.domain.settings import BackSettings, Settings, merge
from webui.executors.placement import places_of
from webui.hardware.graphics_cards import GraphicsCard

NVIDIA, AMD, INTEL, APPLE = (GraphicsCard(maker, "a card") for maker in ("nvidia", "amd", "intel", "apple"))


def places(device: str, **more: object) -> list[tuple[str, str, dict[str, str]]]:
    found = places_of(BackSettings(device=device), **{"environment": {}, "cards": (), "cores": 8, **more})  # type: ignore[arg-type]
    return [(place.name, place.settings.device, dict(place.variables)) for place in found]


def test_each_worker_sees_its_own_card_alone() -> None:
    assert places("cuda:0,cuda:2") == [
        ("cuda:0", "cuda:0", {"CUDA_VISIBLE_DEVICES": "0"}),
        ("cuda:2", "cuda:0", {"CUDA_VISIBLE_DEVICES": "2"}),
    ]
    assert places("xpu:1,cpu") == [("xpu:1", "xpu:0", {"ZE_AFFINITY_MASK": "1"}), ("cpu", "cpu", {})]


def test_cards_are_counted_among_those_that_the_program_sees() -> None:
    seen = {"CUDA_VISIBLE_DEVICES": "3, GPU-abc"}
    assert places("cuda:0,cuda:1", environment=seen) == [
        ("cuda:0", "cuda:0", {"CUDA_VISIBLE_DEVICES": "3"}),
        ("cuda:1", "cuda:0", {"CUDA_VISIBLE_DEVICES": "GPU-abc"}),
    ]
    assert places("cuda:0,cuda:5", environment=seen)[1] == (
        "cuda:5",
        "cuda:5",
        {},
    )  # the back says that it is not there
    assert places("all", cards=(NVIDIA,) * 4, environment=seen) == places("cuda:0,cuda:1", environment=seen)
    assert places("cuda:0,cuda:1", environment={"HIP_VISIBLE_DEVICES": "1,0"})[0][2] == {"HIP_VISIBLE_DEVICES": "1"}


@pytest.mark.parametrize(
    ("cards", "names"),
    [
        ((NVIDIA, NVIDIA, INTEL), ["cuda:0", "cuda:1"]),
        ((AMD,), ["cuda:0"]),
        ((INTEL, INTEL), ["xpu:0", "xpu:1"]),
        ((APPLE,), ["mps"]),
    ],
)
def test_all_are_those_of_the_first_maker(cards: tuple[GraphicsCard, ...], names: list[str]) -> None:
    assert [place[0] for place in places("all", cards=cards)] == names


def test_all_of_none_is_told() -> None:
    with pytest.raises(BackUnavailableError, match="no graphics card"):
        places("all")


def test_workers_on_the_cpu_share_its_cores_unless_told_otherwise() -> None:
    both = places_of(BackSettings(device="cpu,cpu"), (), {}, 8)
    assert [(place.name, place.settings.threads) for place in both] == [("cpu (1)", 4), ("cpu (2)", 4)]
    assert [place.settings.threads for place in places_of(BackSettings(device="cpu,cpu", threads=3), (), {}, 8)] == [
        3,
        3,
    ]
    assert [place.settings.threads for place in places_of(BackSettings(device="cuda:0,cpu"), (), {}, 8)] == [0, 0]


def test_the_setting_takes_several_devices() -> None:
    assert merge({}, {"WEBUI_DEVICE": "CUDA:0, cuda:1"}, {}).device == "cuda:0,cuda:1"
    assert Settings(device="all").device == "all"
