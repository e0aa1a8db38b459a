"""A whole job on a pretended card that has less memory than its networks need: the same picture, never more than there
is, and nothing left when the models are dropped.
"""

import gc
from pathlib import Path

import numpy as np
import pytest

from tests.gpu.device_cases import CASES, models_in, settings_for
from tests.gpu.small_card import small_card
from tests.processing.reporters import Silent
from webui.domain.result import Progress
from webui.processing.back import build

MIB = 2**20


class Watching(Silent):
    """Remembers what was told of the card's memory."""

    def __init__(self) -> None:
        self.told: list[Progress] = []

    def progress(self, progress: Progress) -> None:
        self.told.append(progress)


def test_a_job_with_a_lora_and_a_controlnet_on_cards_that_are_too_small_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models_in(tmp_path)
    request = CASES["ControlNet"]
    expected = np.asarray(build(settings_for(tmp_path, "cpu")).run(request, Silent()).images[0].image).astype(int)
    with small_card() as (_, memory):
        back = build(settings_for(tmp_path, "cuda"))
        residency = back._models.residency
        for limit in (24, 17):  # MiB; all networks together have 45
            residency.clear()
            gc.collect()
            memory.limit = residency._budget = limit * MIB
            memory.peak = 0
            watching = Watching()
            result = back.run(request, watching)
            made = np.asarray(result.images[0].image).astype(int)
            assert np.abs(made - expected).max() <= 1, limit
            assert memory.peak <= limit * MIB
            assert not result.notices, "it was planned, and nothing ran out"
            state = watching.told[-1].memory
            assert state is not None
            assert state.used <= state.budget == limit * MIB
            assert state.needs > 18 * MIB
            assert state.moved > 0
        back.close()
        del back, residency, result
        gc.collect()
        assert memory.used < MIB / 4
