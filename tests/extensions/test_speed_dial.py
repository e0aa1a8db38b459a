"""Measuring approximations: which pictures are asked for, and what is told of them."""

import pytest
import torch
from PIL import Image

from extensions.speed_dial.measuring import EXACT, Measured, distance, gain, measure, requests
from extensions.speed_dial.options import MeasureOptions
from tests.narrowing import untyped
from webui.domain.errors import Cancelled, WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, ModelFacts
from webui.extension_api import ActionContext, Models


class Drawing:
    """Makes grey pictures: lighter where an approximation is on, and in the time that it says."""

    def __init__(self, *, stops: bool = False) -> None:
        self.asked: list[GenerationRequest] = []
        self._stops = stops

    def __call__(self, request: GenerationRequest, *, extensions: object = None, to_come: int = 0) -> GenerationResult:
        self.asked.append(request)
        is_exact = request.speed == GenerationRequest().speed and not request.token_merging.ratio
        image = Image.new("RGB", (request.width, request.height), (0,) * 3 if is_exact else (51,) * 3)
        made = GeneratedImage(image, request, "", 0, 0)
        seconds = 2.0 if is_exact else 0.5 + len(self.asked) / 100
        return GenerationResult(
            request, (made,), ModelFacts("m", "0"), timings={"sampling": seconds}, interrupted=self._stops
        )


def context(drawing: Drawing, device: str = "cpu") -> ActionContext:
    models: Models = untyped(None)
    return ActionContext(models, lambda *_: None, lambda: False, torch.device(device), torch.float32, generate=drawing)


SMALL = MeasureOptions(width=64, height=64, steps=2)


def test_each_approximation_is_measured_beside_the_exact_picture() -> None:
    drawing = Drawing()
    result = measure(SMALL, context(drawing))
    kinds = 4
    assert len(drawing.asked) == 1 + kinds * SMALL.rounds
    assert len({request.model_dump_json() for request in drawing.asked}) == kinds
    assert len(result.images) == kinds
    data = untyped(result.data)
    assert data[EXACT] == {"gain": 1.0, "distance": 0.0}
    others = [one for name, one in data.items() if name != EXACT]
    assert all(one["distance"] == 0.2 and one["gain"] > 3 for one in others)
    assert "20.00% from the exact picture" in result.text


def test_what_only_a_card_can_do_is_measured_only_there() -> None:
    here, there = (requests(SMALL, on_cuda=on_cuda) for on_cuda in (False, True))
    assert [name for name in there if name not in here] == ["fp16 accumulation"]


def test_the_best_round_counts() -> None:
    grey = Image.new("RGB", (8, 8), (10, 10, 10))
    assert gain(Measured([3.0, 2.0, 9.0], grey), Measured([4.0, 1.0], grey)) == 2.0
    assert distance(Measured([1.0], grey), Measured([1.0], Image.new("RGB", (8, 8), (10, 10, 61)))) == pytest.approx(
        51 / 3 / 255
    )


def test_nothing_to_measure_and_a_wish_to_stop_are_told() -> None:
    with pytest.raises(WebuiError, match="every approximation is left out"):
        measure(SMALL.model_copy(update={"block_cache": 0, "text_gate": 0, "token_merging": 0}), context(Drawing()))
    with pytest.raises(Cancelled):
        measure(SMALL, context(Drawing(stops=True)))
