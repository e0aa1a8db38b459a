"""Calls that are captured and replayed: the same answers, fewer calls, and every reason for not doing it is told.

What captures is pretended: the work is done again at each replay, and its answer is written where the first one lies.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.gpu.pretended import pretended
from webui.domain.settings import NetworkWay
from webui.sampling.steps import ModelCall, Step
from webui.weights.fast.fast_calls import FastCalls
from webui.weights.fast.fast_network import FastNetwork
from webui.weights.fast.graph_cache import AFTER, GraphCache
from webui.weights.fast.network_inputs import NetworkInputs
from webui.weights.owned import overwrite, restore
from webui.weights.residency import Residency
from webui.weights.resident import Resident

CPU = torch.device("cpu")


class PretendedGraphs:
    """Counts captures and replays; `spoils` is added to what replays answer, `fails` is raised by captures."""

    def __init__(self) -> None:
        self.captures = self.replays = 0
        self.spoils = 0.0
        self.fails: Exception | None = None

    def __call__(self, work: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        if self.fails is not None:
            raise self.fails
        self.captures += 1
        answer = work()

        def replay() -> None:
            self.replays += 1
            answer.copy_(work() + self.spoils)

        return replay, answer


class Network(nn.Module):
    """A layer with a weight that may be written; `calls` counts how often it was called as usual or captured."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.mix = nn.Linear(4, 4)
        self.requires_grad_(False)

    def compute(self, inputs: NetworkInputs) -> Tensor:
        answer: Tensor = self.mix(inputs.sample.movedim(1, -1)).movedim(-1, 1) * inputs.timestep[:, None, None, None]
        for one in inputs.down or ():
            answer = answer + one
        return answer + inputs.context.mean()


def inputs_of(seed: int, side: int = 4, *, down: bool = False) -> NetworkInputs:
    drawn = torch.Generator().manual_seed(seed)
    sample = torch.rand(2, 4, side, side, generator=drawn)
    residuals = (torch.rand(2, 4, side, side, generator=drawn),) if down else None
    return NetworkInputs(sample, torch.rand(2, generator=drawn), torch.rand(2, 5, 8, generator=drawn), down=residuals)


def call_of(inputs: NetworkInputs) -> ModelCall:
    level = torch.tensor(1.0)
    step = Step(0, 1, level, level)
    return ModelCall(step, inputs.sample, inputs.timestep, inputs.context, torch.tensor([True, False]))


class House:
    """A network with its calls, captured by pretended graphs."""

    def __init__(self, **more: Any) -> None:
        self.network, self.graphs = Network(), PretendedGraphs()
        self.residency = Residency(CPU, 1 << 30)
        self.resident = Resident("UNet", self.network)
        self.residency.adopt(self.resident, "UNet")
        self.cache = GraphCache(self.graphs, **more)
        self.calls = FastCalls(self.network, self.resident, self.cache, on_device=lambda device: True)

    def ask(self, inputs: NetworkInputs, **changes: Any) -> Tensor:
        """The answer, which is that of a usual call in any case."""
        call = replace(call_of(inputs), **changes)
        answer = self.calls.answer(call, inputs, self.network.compute)
        assert torch.equal(answer, self.network.compute(inputs))
        return answer

    def warm(self, **kind: Any) -> None:
        for seed in range(AFTER + 1):
            self.ask(inputs_of(seed, **kind))


@pytest.fixture
def house() -> Iterator[House]:
    with torch.inference_mode():
        yield House()


def test_a_shape_is_captured_after_its_first_calls_and_replayed_from_then_on(house: House) -> None:
    for seed in range(AFTER):
        house.ask(inputs_of(seed))
        assert house.calls.told == "eager: this size is captured after its first calls"
    assert house.graphs.captures == 0
    kept = house.ask(inputs_of(AFTER))
    assert (house.graphs.captures, house.calls.told) == (1, "captured 32x32")
    replays = house.graphs.replays  # the first one was only compared
    answers = [house.ask(inputs_of(seed)) for seed in range(10, 15)]
    assert house.graphs.replays - replays == 5
    assert not any(torch.equal(kept, one) for one in answers)  # an answer is its receiver's own
    assert house.calls.notices == ()


def test_other_shapes_and_residuals_have_graphs_of_their_own(house: House) -> None:
    house.warm()
    house.warm(side=6)
    house.warm(down=True)
    assert (house.graphs.captures, len(house.cache)) == (3, 3)
    house.ask(inputs_of(9, 6))
    assert house.calls.told == "captured 48x48"


def test_only_the_last_used_are_kept() -> None:
    with torch.inference_mode():
        house = House(most=2)
        house.warm(side=2)
        house.warm(side=3)
        house.ask(inputs_of(1, 2))  # used again, so 3 is the one that goes
        house.warm(side=4)
        assert len(house.cache) == 2
        captures = house.graphs.captures
        house.ask(inputs_of(1, 2))
        assert house.graphs.captures == captures
        house.ask(inputs_of(1, 3))
        assert house.graphs.captures == captures + 1


def test_weights_that_are_written_in_place_keep_the_graph_and_moved_ones_do_not(house: House) -> None:
    house.resident.written += 1
    house.warm()
    overwrite(house.network.mix.weight, torch.ones(4, 4))  # as a LoRA does
    house.resident.written += 1
    house.ask(inputs_of(20))
    assert (house.graphs.captures, house.calls.told) == (1, "captured 32x32")
    restore(house.network.mix.weight)
    house.network.mix.weight = nn.Parameter(torch.ones(4, 4), requires_grad=False)
    house.resident.written += 1
    house.ask(inputs_of(21))
    assert len(house.cache) == 0
    house.warm()
    house.residency.clear()  # it leaves the device, and comes back
    assert len(house.cache) == 1
    house.ask(inputs_of(22))
    assert house.calls.told == "eager: weights stream"
    with house.resident.use():
        house.ask(inputs_of(23))
    assert len(house.cache) == 0


def test_what_stands_in_the_way_is_told(house: House) -> None:
    house.warm()
    replays = house.graphs.replays
    asked = inputs_of(1)
    house.resident.parts = 2
    house.ask(asked)
    assert house.calls.told == "eager: rows are computed one after the other"
    house.resident.parts = 1
    house.ask(asked, taking_part={"mid": lambda attention, usual: usual(attention)})
    assert house.calls.told == "eager: an extension takes part in the attention"
    hook = house.network.mix.register_forward_hook(lambda *all_of_it: None)
    house.ask(asked)
    assert house.calls.told == "eager: an extension or an approximation acts inside the network"
    hook.remove()
    assert house.graphs.replays == replays
    house.ask(asked)
    assert house.calls.told == "captured 32x32"


def test_calls_are_captured_on_cuda_alone() -> None:
    network, graphs = Network(), PretendedGraphs()
    calls = FastCalls(network, Resident("UNet", network), GraphCache(graphs))
    asked = inputs_of(1)
    calls.answer(call_of(asked), asked, network.compute)
    assert calls.told == "eager: calls are captured on CUDA, not on cpu"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"spoils": 1.0}, "its replay differed"),
        ({"spoils": float("nan")}, "its replay differed"),
        ({"fails": RuntimeError("operation not permitted when stream is capturing\nat line 1")}, "stream is capturing"),
        ({"fails": torch.OutOfMemoryError("no memory")}, "no memory for a captured call"),
    ],
)
def test_a_capture_that_goes_wrong_is_not_used_and_told_once(house: House, fault: dict[str, Any], said: str) -> None:
    vars(house.graphs).update(fault)
    house.warm()
    for seed in range(3):
        house.ask(inputs_of(seed))
    assert said in house.calls.told
    assert len(house.cache) == 0
    (notice,) = house.calls.notices
    assert said in notice
    assert house.calls.notices == ()


@pytest.mark.parametrize(
    ("way", "device", "captures"),
    [("auto", "cpu", False), ("auto", "cuda", True), ("eager", "cuda", False), ("captured", "cpu", True)],
)
def test_the_setting_decides_and_a_shortage_of_memory_lets_go(way: NetworkWay, device: str, captures: bool) -> None:
    residency = Residency(torch.device(device), 1 << 30)
    fast = FastNetwork(way, torch.device(device), residency, lambda there: PretendedGraphs(), lambda: True)
    wrapper: Any = SimpleNamespace(module=Network())
    wrapper.resident = Resident("UNet", wrapper.module)
    wrapper.fast = before = FastCalls(wrapper.module, wrapper.resident, None, on_device=lambda device: True)
    fast.attach(wrapper, 8)
    assert (wrapper.fast is not before) == captures
    if captures:
        wrapper.fast._on_device = before._on_device
        with torch.inference_mode():
            for seed in range(AFTER + 1):
                wrapper.fast.answer(call_of(inputs_of(seed)), inputs_of(seed), wrapper.module.compute)
    assert residency.clear_for(None) == captures
    assert not residency.clear_for(None)


def test_on_a_pretended_card_the_network_is_captured_and_a_residual_is_no_hindrance() -> None:
    with pretended("cuda"), torch.inference_mode():
        house = House()
        house.calls = FastCalls(house.network, house.resident, house.cache)
        house.network.to("cuda")
        here = inputs_of(1, down=True)
        sample, timestep, context = (one.to("cuda") for one in (here.sample, here.timestep, here.context))
        there = NetworkInputs(sample, timestep, context, down=tuple(one.to("cuda") for one in here.down or ()))
        for _ in range(AFTER + 2):
            answer = house.calls.answer(call_of(there), there, house.network.compute)
        assert house.calls.told == "captured 32x32"
        assert torch.equal(answer, house.network.compute(there))
