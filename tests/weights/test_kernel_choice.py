"""The kernels of a processor are measured once, and kept."""

from pathlib import Path

import pytest
import torch

from webui.weights import kernel_choice, kernel_timing
from webui.weights.kernel_choice import FILE, MOST, kernels_for_this_cpu, settled
from webui.weights.speed import CpuKernels, FormatKernels

SLOW_BLOCKS = CpuKernels(FormatKernels(False), FormatKernels(True, None), prefers_half=True)
OTHER = CpuKernels(FormatKernels(True, 1024))


class Measuring:
    """Gives one choice, and counts how often it was asked."""

    def __init__(self, choice: CpuKernels) -> None:
        self.choice, self.times = choice, 0

    def __call__(self) -> CpuKernels:
        self.times += 1
        return self.choice


def test_a_processor_is_measured_once(tmp_path: Path) -> None:
    measuring = Measuring(SLOW_BLOCKS)
    assert [kernels_for_this_cpu(tmp_path / "new", measuring) for _ in range(3)] == [SLOW_BLOCKS] * 3
    assert measuring.times == 1


@pytest.mark.parametrize("damage", [b"", b"{", b'{"x": 3}', b'{"x": {"plain": {"blocks_from": "many"}}}', b"\xff\xfe"])
def test_a_damaged_file_is_measured_anew_and_replaced(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / FILE).write_bytes(damage)
    assert kernels_for_this_cpu(tmp_path, Measuring(OTHER)) == OTHER
    again = Measuring(SLOW_BLOCKS)
    assert (kernels_for_this_cpu(tmp_path, again), again.times) == (OTHER, 0)


def test_another_processor_is_measured_and_the_first_is_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(MOST + 5):
        monkeypatch.setattr(kernel_choice, "processor_name", lambda number=number: f"CPU {number}")
        kernels_for_this_cpu(tmp_path, Measuring(OTHER if number % 2 else SLOW_BLOCKS))
    last = Measuring(CpuKernels())
    assert kernels_for_this_cpu(tmp_path, last) == SLOW_BLOCKS
    monkeypatch.setattr(kernel_choice, "processor_name", lambda: "CPU 0")
    assert kernels_for_this_cpu(tmp_path, last) == CpuKernels()  # the oldest made room


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    assert kernels_for_this_cpu(tmp_path / "file", Measuring(OTHER)) == OTHER
    assert "cannot be written" in caplog.text


@pytest.mark.parametrize(
    ("wins", "blocks_from"),
    [({4096, 1024, 256}, 256), ({4096, 1024}, 1024), ({4096}, 4096), (set(), None), ({256}, None), ({4096, 256}, 4096)],
)
def test_attention_in_blocks_is_chosen_from_the_length_from_which_it_always_gains(
    monkeypatch: pytest.MonkeyPatch, wins: set[int], blocks_from: int | None
) -> None:
    monkeypatch.setattr(kernel_timing, "_attention", lambda dtype, tokens, *_: (0.5 if tokens in wins else 1.0, 1.0))
    monkeypatch.setattr(kernel_timing, "_convolutions", lambda dtype, form: 1.0)
    for name in ("_product", "_packed"):
        monkeypatch.setattr(kernel_timing, name, lambda *_: 1.0)
    for name in ("_packing", "_tiling", "_gating", "_text_attention"):
        monkeypatch.setattr(kernel_timing, name, lambda *_, **named: (1.0, 1.0))
    monkeypatch.setattr(kernel_timing, "cpu_computes_bf16", lambda: False)
    assert kernel_timing.measured() == CpuKernels(FormatKernels(True, blocks_from))


@pytest.mark.parametrize(("half", "prefers"), [(0.5, True), (1.0, False), (2.0, False)])
def test_bf16_is_taken_only_where_it_is_faster(monkeypatch: pytest.MonkeyPatch, half: float, prefers: bool) -> None:
    def seconds(dtype: torch.dtype, *_: object) -> float:
        return half if dtype == torch.bfloat16 else 1.0

    monkeypatch.setattr(kernel_timing, "_attention", lambda dtype, *_: (seconds(dtype), seconds(dtype)))
    monkeypatch.setattr(kernel_timing, "_convolutions", seconds)
    monkeypatch.setattr(kernel_timing, "_product", seconds)
    monkeypatch.setattr(kernel_timing, "_with_more", lambda dtype, kernels: kernels)
    monkeypatch.setattr(kernel_timing, "cpu_computes_bf16", lambda: True)
    assert kernel_timing.measured().prefers_half is prefers


@pytest.mark.parametrize("prefers", [False, True])
def test_only_auto_leaves_the_format_to_the_measurement_and_exact_work_asks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefers: bool
) -> None:
    choice = CpuKernels(FormatKernels(False, 4096), FormatKernels(True, 256), prefers_half=prefers)
    monkeypatch.setattr(kernel_choice, "kernels_for_this_cpu", lambda folder: choice)
    wanted = (torch.bfloat16, choice.half) if prefers else (torch.float32, choice.plain)
    assert settled(tmp_path, "auto", torch.bfloat16, fast_cpu=True) == wanted
    assert settled(tmp_path, "bf16", torch.bfloat16, fast_cpu=True) == (torch.bfloat16, choice.half)
    assert settled(tmp_path, "fp32", torch.float32, fast_cpu=False) == (torch.float32, None)


def test_measuring_leaves_the_threads_as_they_were() -> None:
    before = torch.get_num_threads()
    found = kernel_timing.measured()
    assert torch.get_num_threads() == before
    assert found.of(torch.float32) == found.plain


@pytest.mark.parametrize(("wins", "most"), [({4, 8, 16}, 512), ({4, 8}, 128), (set(), 0), ({8, 16}, 0)])
def test_weights_are_laid_out_as_far_as_that_always_gains(
    monkeypatch: pytest.MonkeyPatch, wins: set[int], most: int
) -> None:
    monkeypatch.setattr(kernel_timing, "_packing", lambda dtype, form, side: (0.8 if side in wins else 0.95, 1.0))
    assert kernel_timing._packs_to(torch.float32, torch.channels_last) == most
    monkeypatch.setattr(kernel_timing, "can_pack", lambda: False)
    assert kernel_timing._packs_to(torch.float32, torch.channels_last) == 0


@pytest.mark.parametrize(
    ("wins", "least"), [({32, 16, 8}, 64), ({32, 16}, 256), ({32}, 1024), (set(), 0), ({16, 8}, 0)]
)
def test_tiles_are_used_from_the_size_from_which_they_always_gain(
    monkeypatch: pytest.MonkeyPatch, wins: set[int], least: int
) -> None:
    asked: dict[int, bool] = {}

    def tiling(dtype: torch.dtype, form: torch.memory_format, channels: int, side: int, *, packed: bool) -> object:
        asked[side] = packed
        return (0.8 if side in wins else 0.95, 1.0)

    monkeypatch.setattr(kernel_timing, "_tiling", tiling)
    assert kernel_timing._tiled_from(torch.float32, torch.channels_last, 128) == least
    assert all(packed is (side == 8) for side, packed in asked.items())  # compared with what would be used else


@pytest.mark.parametrize(("gains", "can"), [(0.9, True), (1.0, True), (0.9, False)])
def test_linear_layers_are_laid_out_where_that_gains_and_can_be_done(
    monkeypatch: pytest.MonkeyPatch, gains: float, can: bool
) -> None:
    for name in ("_packing", "_tiling", "_gating", "_text_attention"):
        monkeypatch.setattr(kernel_timing, name, lambda *_, **named: (0.5, 1.0))
    monkeypatch.setattr(kernel_timing, "_packed", lambda *_: gains)
    monkeypatch.setattr(kernel_timing, "_product", lambda *_: 1.0)
    monkeypatch.setattr(kernel_timing, "can_pack_linears", lambda: can)
    found = kernel_timing._with_more(torch.bfloat16, FormatKernels(True, 256))
    assert found.packs_linears is (can and gains < 1)
    assert (found.halves_gates, found.batches_texts) == (True, True)
    assert (found.channels_last, found.blocks_from) == (True, 256)
