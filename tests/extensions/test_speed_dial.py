"""Measuring approximations: which pictures are asked for, what is told of them, and what is kept for the page."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from extensions.speed_dial import kept_result
from extensions.speed_dial.measuring import Measured, distance, exact_request, gain, measure
from extensions.speed_dial.options import MeasureOptions, NoOptions
from extensions.speed_dial.plugin import actions
from extensions.speed_dial.ways import EXACT, PREPARING, Machine, Way, alone, machine_of, stops, ways
from tests.exact_back import exact_back
from tests.gpu.device_cases import models_in
from tests.narrowing import untyped
from webui.domain.errors import BadRequestError, Cancelled, WebuiError
from webui.domain.extensions import ActionCall
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, GenerationResult, ModelFacts
from webui.extension_api import ActionContext, Models
from webui.processing.back import Back

CPU, CARD = Machine("a CPU", eight_bits=("int8",)), Machine("a card", is_nvidia=True, eight_bits=("fp8", "int8"))
ROOT = Path(__file__).parents[2]


class Drawing:
    """Makes grey pictures: lighter where an approximation is on, and in the time that it says."""

    def __init__(self, *, stops: bool = False, has_tiles: bool = True) -> None:
        self.asked: list[GenerationRequest] = []
        self._stops, self._has_tiles = stops, has_tiles

    def __call__(self, request: GenerationRequest, *, extensions: object = None, to_come: int = 0) -> GenerationResult:
        if request.extensions and not self._has_tiles:
            raise BadRequestError("extensions", "there is no extension 'guidance'")
        self.asked.append(request)
        is_exact = request == exact_request(SMALL)
        image = Image.new("RGB", (request.width, request.height), (0,) * 3 if is_exact else (51,) * 3)
        made = GeneratedImage(image, request, "", 0, 0)
        seconds = 2.0 if is_exact else 0.5 + len(self.asked) / 1000
        return GenerationResult(
            request, (made,), ModelFacts("m", "0"), timings={"sampling": seconds}, interrupted=self._stops
        )


def context(drawing: Drawing, data_dir: Path, device: str = "cpu") -> ActionContext:
    models: Models = untyped(None)
    return ActionContext(
        models, lambda *_: None, lambda: False, torch.device(device), torch.float32, generate=drawing, data_dir=data_dir
    )


SMALL = MeasureOptions(width=64, height=64, steps=2)


def test_each_way_is_measured_beside_the_exact_picture(tmp_path: Path) -> None:
    drawing = Drawing()
    result = measure(SMALL, context(drawing, tmp_path))
    kinds = len(ways(SMALL, CPU))
    assert kinds == 5 + 6
    assert len(drawing.asked) == PREPARING + kinds * SMALL.rounds
    assert len({request.model_dump_json() for request in drawing.asked if request.steps == 2}) == kinds
    assert len(result.images) == kinds
    data = untyped(result.data)
    assert data[EXACT] == {"gain": 1.0, "distance": 0.0}
    others = [one for name, one in data.items() if name != EXACT]
    assert all(one["distance"] == 0.2 and one["gain"] > 3 for one in others)
    assert "20.00% from the exact picture" in result.text


def test_what_only_a_machine_has_is_measured_only_there() -> None:
    here, there = ({way.name for way in ways(SMALL, machine)} for machine in (CPU, CARD))
    assert there - here == {"fp8", "fp16 accumulation"}
    assert here < there
    assert {"int8", "fp8"}.isdisjoint(way.name for way in ways(SMALL, Machine("mps")))
    fastest = {machine.name: stops(machine)[-1].fields["speed.eight_bits"] for machine in (CPU, CARD, Machine("mps"))}
    assert fastest == {"a CPU": "int8", "a card": "fp8", "mps": "off"}


def test_stops_are_requests_that_do_more_from_one_to_the_next() -> None:
    exact = exact_request(SMALL)
    for machine in (CPU, CARD):
        first, *others = stops(machine)
        assert first.of(exact) == exact
        before = first
        for stop in others:
            GenerationRequest.model_validate(stop.of(exact).model_dump())
            assert stop.fields.keys() == first.fields.keys()
            assert before.own.keys() <= stop.own.keys()
            before = stop
    for way in alone(MeasureOptions(), CARD):
        assert (len({name.partition(".")[0] for name in way.own}), way.tiles) in ((1, False), (0, True))


def test_networks_that_the_prompt_names_are_no_part_of_the_measured_picture() -> None:
    assert exact_request(MeasureOptions(prompt="a cat <lora:ink:0.8>")).prompt.strip() == "a cat"


def test_the_best_round_counts() -> None:
    grey = Image.new("RGB", (8, 8), (10, 10, 10))
    assert gain(Measured([3.0, 2.0, 9.0], grey), Measured([4.0, 1.0], grey)) == 2.0
    assert distance(Measured([1.0], grey), Measured([1.0], Image.new("RGB", (8, 8), (10, 10, 61)))) == pytest.approx(
        51 / 3 / 255
    )


def test_nothing_to_measure_and_a_wish_to_stop_are_told_and_keep_nothing(tmp_path: Path) -> None:
    none = dict.fromkeys(("block_cache", "text_gate", "token_merging", "interval"), 0) | dict.fromkeys(
        ("stops", "hypertile", "eight_bits"), False
    )
    with pytest.raises(WebuiError, match="every approximation is left out"):
        measure(SMALL.model_copy(update=none), context(Drawing(), tmp_path))
    with pytest.raises(Cancelled):
        measure(SMALL, context(Drawing(stops=True), tmp_path))
    assert not list(tmp_path.iterdir())


def test_without_the_extension_that_has_tiles_the_rest_is_measured(tmp_path: Path) -> None:
    result = measure(SMALL, context(Drawing(has_tiles=False), tmp_path))
    assert "HyperTile is left out: " in result.text
    assert "there is no extension 'guidance'" in result.text
    assert "fastest" in untyped(result.data)
    assert "HyperTile" not in untyped(result.data)


def test_the_dial_tells_the_last_measurement_of_this_machine_and_of_these_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    act = actions()[1].run
    here = context(Drawing(), tmp_path)
    before = untyped(act(NoOptions(), here).data)
    assert before["measured"] is None
    assert {stop["gain"] for stop in before["stops"]} == {None}
    measure(SMALL, here)
    after = untyped(act(NoOptions(), here).data)
    assert after["measured"]["checkpoint"] == "m"
    assert after["measured"]["width"] == 64
    assert after["stops"][0]["gain"] == 1
    assert all(one["gain"] > 3 and one["picture"] for one in [*after["stops"][1:], *after["alone"]])
    assert after["pictures"] == PREPARING + len(ways(MeasureOptions(), CPU))
    found = kept_result.kept(tmp_path, machine_of(here.device).name)
    assert found is not None
    assert found.of(Way("fast", own={"speed.text_gate": 0.9})) is None  # it was another one then
    assert kept_result.kept(tmp_path, "another machine") is None
    file = tmp_path / kept_result.FOLDER / kept_result.FILE
    for broken in (b"{", json.dumps({"day": 1}).encode(), b"\xff"):
        file.write_bytes(broken)
        assert untyped(act(NoOptions(), here).data)["measured"] is None


def test_cards_are_known_by_their_capability(monkeypatch: pytest.MonkeyPatch) -> None:
    for capability, formats in (((9, 0), ("fp8", "int8")), ((8, 6), ("int8",)), ((7, 0), ())):
        found = SimpleNamespace(name="RTX", major=capability[0], minor=capability[1])
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device, found=found: found)
        assert machine_of(torch.device("cuda")) == Machine("RTX", is_nvidia=True, eight_bits=formats)
    monkeypatch.setattr(torch.version, "hip", "6.4")
    assert machine_of(torch.device("cuda")) == Machine("RTX")
    assert machine_of(torch.device("mps")) == Machine("mps")


@pytest.fixture(scope="module")
def back(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Back]:
    folder = tmp_path_factory.mktemp("dial")
    made = exact_back(models_dir=models_in(folder), data_dir=folder / "data", extensions_dir=ROOT / "extensions")
    yield made
    made.close()


def test_real_pictures_are_measured_and_told(back: Back) -> None:
    asked = {"width": 64, "height": 64, "steps": 4, "rounds": 1, "hypertile": False}
    outcome = back.act(ActionCall("speed_dial", "measure", asked), lambda progress: None, lambda: False)
    data = untyped(outcome.data)
    assert data[EXACT] == {"gain": 1.0, "distance": 0.0}
    assert (
        min(data[name]["distance"] for name in ("fast", "fastest", "int8", "token merging 0.5", "CFG interval 1")) > 0
    )
    assert all(row["gain"] > 0 for row in data.values())
    told = back.act(ActionCall("speed_dial", "dial", {}, light=True), lambda progress: None, lambda: False)
    assert untyped(told.data)["measured"]["steps"] == 4
