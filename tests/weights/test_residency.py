"""Networks on a device with a budget: who stays, who leaves, what streams, and that answers are the same all the while.
The device is the CPU: what has left it lies there too, but the residency counts it as gone.
"""

import gc
import weakref

import pytest
import torch
from torch import Tensor, nn

from webui.domain.errors import MemoryShortError
from webui.weights.estimates import Estimates
from webui.weights.owned import before, checkpoint_weight, identity, overwrite, restore
from webui.weights.recovery import CACHES_EMPTIED, Rung, let_go, with_recovery
from webui.weights.residency import Residency, weight_bytes
from webui.weights.resident import Resident
from webui.weights.streaming import FP8, is_stream, streamable

CPU = torch.device("cpu")
INPUT = torch.rand(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
MOST = 1 << 40


class Blocks(nn.Module):
    """Convolutions and linear layers between normalisations."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.conv_in = nn.Conv2d(4, 32, 3, padding=1)
        self.norm = nn.GroupNorm(8, 32)
        self.blocks = nn.ModuleList(nn.Conv2d(32, 32, 3, padding=1) for _ in range(6))
        self.mix = nn.Linear(32, 32)
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.conv_in(x))
        for block in self.blocks:
            x = x + block(x).relu()
        answer: Tensor = self.mix(x.movedim(1, -1))
        return answer


def taken(residency: Residency, seed: int = 0, *, here: bool = True) -> tuple[Blocks, Resident]:
    module = Blocks(seed)
    resident = Resident(f"network {seed}", module)
    residency.adopt(resident, resident.name, here=here)
    return module, resident


def answered(module: Blocks, resident: Resident, activations: int = 0) -> Tensor:
    with torch.inference_mode(), resident.use(activations):
        answer: Tensor = module(INPUT)
        return answer


SIZE = weight_bytes(Blocks())


@pytest.mark.parametrize("share", [2.0, 1.0, 0.9, 0.6, 0.5, 0.4, 0.1])
def test_the_answer_is_the_same_however_much_of_it_streams(share: float) -> None:
    residency = Residency(CPU, int(SIZE * share))
    module, resident = taken(residency)
    expected = Blocks()(INPUT)
    for _ in range(3):
        assert torch.equal(answered(module, resident), expected)
        assert resident.loaded <= max(int(SIZE * share), resident.least)
    assert resident.is_whole == (share >= 1)
    assert share >= 1 or resident.loaded >= share * SIZE - resident.least - resident.must  # what has room is there


def test_what_was_used_longest_ago_leaves_first() -> None:
    residency = Residency(CPU, int(SIZE * 2.5))
    networks = [taken(residency, seed, here=False) for seed in range(3)]
    for module, resident in (networks[0], networks[1], *[networks[2]] * 8):
        answered(module, resident)
    assert [resident.loaded == SIZE for _, resident in networks] == [False, True, True]
    for _ in range(8):
        assert torch.equal(answered(*networks[0]), Blocks(0)(INPUT))
    assert [resident.loaded == SIZE for _, resident in networks] == [True, False, True]


def test_networks_that_take_turns_do_not_push_each_other_out_again_and_again() -> None:
    """As a UNet and a ControlNet do at every step."""
    residency = Residency(CPU, int(SIZE * 1.5))
    pair = [taken(residency, seed) for seed in range(2)]
    for _ in range(4):
        for one in pair:
            answered(*one)
    moved = residency.state().moved
    for _ in range(4):
        for seed, one in enumerate(pair):
            assert torch.equal(answered(*one), Blocks(seed)(INPUT))
    assert residency.state().moved == moved
    assert sum(resident.loaded for _, resident in pair) <= SIZE * 1.5


def test_room_is_kept_for_what_a_call_computes() -> None:
    residency = Residency(CPU, int(SIZE * 1.2))
    module, resident = taken(residency)
    answered(module, resident, activations=int(SIZE * 0.7))
    assert resident.loaded <= SIZE * 0.5 + 1
    assert not residency.fits(resident, int(SIZE * 1.1))
    assert residency.fits(resident, int(SIZE * 0.5))


def test_low_streams_even_where_all_fits() -> None:
    residency = Residency(CPU, MOST, low=True)
    module = Blocks()
    resident = Resident("network", module)
    residency.adopt(resident, "network", here=False)
    assert torch.equal(answered(module, resident), Blocks()(INPUT))
    assert resident.loaded < resident.least < SIZE
    assert not residency.has_room(1)


def test_without_a_budget_a_cpu_moves_nothing() -> None:
    residency = Residency(CPU)
    module, resident = taken(residency)
    places = [weight.data_ptr() for weight in module.parameters()]
    residency.clear()
    answered(module, resident)
    assert [weight.data_ptr() for weight in module.parameters()] == places
    assert not residency.state().networks


def test_at_most_two_streamed_layers_are_on_the_device_at_once() -> None:
    residency = Residency(CPU, 1)
    module, resident = taken(residency)
    stream = resident._stream
    assert stream is not None
    most = [0]
    resident.leave()

    def count(layer: nn.Module, inputs: object) -> None:
        most[0] = max(most[0], len(stream._at_home) + (stream._ahead is not None))

    for layer in module.blocks:
        layer.register_forward_pre_hook(count)
    answered(module, resident)
    answered(module, resident)
    assert most[0] == 2
    assert stream._ahead is None
    assert not stream._at_home


def test_weights_keep_their_identity_and_what_was_written_to_them() -> None:
    residency = Residency(CPU, MOST)
    module, resident = taken(residency)
    weight = module.mix.weight
    original, known = weight.clone(), identity(weight)
    with torch.inference_mode():
        overwrite(weight, original + 1)
        address = weight.data_ptr()
        overwrite(weight, original + 2)
        assert weight.data_ptr() == address
        moves = resident.moves
        residency.clear()
        assert resident.moves > moves
        answered(module, resident)
        assert identity(module.mix.weight) == known
        assert torch.equal(module.mix.weight, original + 2)
        assert torch.equal(checkpoint_weight(module.mix.weight), original)
        restore(module.mix.weight)
        assert torch.equal(module.mix.weight, original + 1)
        restore(module.mix.weight)
        assert torch.equal(module.mix.weight, original)
        assert not before(module.mix.weight)
        with pytest.raises(ValueError, match="not overwritten"):
            restore(module.mix.weight)


def test_eight_bits_need_a_quarter_of_the_room_and_are_near() -> None:
    residency = Residency(CPU, MOST, fp8=True)
    module = Blocks()
    resident = Resident("network", module)
    residency.adopt(resident, "network", quantizes=True)
    assert module.blocks[0].weight.dtype == FP8
    assert module.conv_in.weight.dtype == torch.float32
    assert resident.bytes < SIZE * 0.35
    expected, made = Blocks()(INPUT), answered(module, resident)
    assert made.dtype == torch.float32
    assert 0 < float((made - expected).norm() / expected.norm()) < 0.05
    resident.stream()
    assert torch.equal(answered(module, resident), made)


def test_hooks_of_the_program_are_told_from_those_of_others() -> None:
    residency = Residency(CPU, 1)
    module, resident = taken(residency)
    answered(module, resident)
    hooks = list(module.mix._forward_hooks.values())
    assert len(hooks) == 1
    assert is_stream(hooks[0])
    assert not is_stream(print)


def test_a_weight_that_layers_share_does_not_stream() -> None:
    module = Blocks()
    module.blocks[1].weight = module.blocks[0].weight
    assert module.blocks[0] not in set(streamable(module))
    assert module.blocks[2] in set(streamable(module))


def test_a_network_that_nobody_holds_is_forgotten() -> None:
    residency = Residency(CPU, SIZE)
    module, resident = taken(residency)
    answered(module, resident)
    gone = weakref.ref(module)
    del module, resident
    gc.collect()
    assert gone() is None
    assert not residency.state().networks


def test_a_network_of_an_extension_leaves_when_it_is_asked_to() -> None:
    residency = Residency(CPU, MOST)
    module = Blocks()
    with torch.inference_mode(), residency.using(module, "ControlNet", leaves=True):
        module(INPUT)
    (place,) = residency.state().networks
    assert (place.name, place.bytes, place.loaded) == ("ControlNet", SIZE, 0)


def test_estimates_follow_what_was_measured() -> None:
    estimates = Estimates()
    assert estimates.corrected("UNet", 100) == 100
    estimates.measured("UNet", 100, 150)
    assert estimates.corrected("UNet", 200) == 300
    assert estimates.knows("UNet", 100)
    assert not estimates.knows("UNet", 200)
    estimates.measured("UNet", 200, 200)
    assert 200 < estimates.corrected("UNet", 200) < 300
    assert estimates.corrected("VAE", 100) == 100


class Attempts:
    """Has no room as often as it is told; what it held then is remembered weakly."""

    def __init__(self, fails: int, error: type[Exception] = torch.OutOfMemoryError) -> None:
        self.fails, self.error, self.calls = fails, error, 0
        self.held: list[weakref.ref[Tensor]] = []

    def __call__(self) -> int:
        self.calls += 1
        assert not [one for one in self.held if one() is not None]
        if self.calls > self.fails:
            return self.calls
        large = torch.zeros(10)
        self.held.append(weakref.ref(large))
        raise self.error("out of memory")


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError, RuntimeError])
def test_each_rung_is_taken_in_turn_and_what_failed_is_let_go_of(error: type[Exception]) -> None:
    attempts = Attempts(2, error)
    told: list[str] = []
    climbed: list[str] = []

    def climb(name: str, *, changes: bool) -> bool:
        climbed.append(name)
        return changes

    ladder = [
        CACHES_EMPTIED,
        Rung("nothing", lambda: climb("nothing", changes=False)),
        Rung("tiles", lambda: climb("tiles", changes=True)),
        Rung("more", lambda: climb("more", changes=True)),
    ]
    assert with_recovery(attempts, ladder, work="testing", lower="lower it", told=told.append) == 3
    assert climbed == ["nothing", "tiles"]
    assert told == ["memory ran out while testing; caches were emptied and tiles"]


def test_without_a_rung_left_a_sentence_says_what_to_lower() -> None:
    attempts = Attempts(9)
    with pytest.raises(
        MemoryShortError, match="ran out while testing, although caches were emptied; lower it"
    ) as found:
        with_recovery(attempts, [CACHES_EMPTIED], work="testing", lower="lower it")
    assert found.value.__context__ is None
    assert attempts.calls == 2


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="shapes differ"):
        with_recovery(lambda: (_ for _ in ()).throw(RuntimeError("shapes differ")), [CACHES_EMPTIED], work="", lower="")


def test_an_error_that_somebody_keeps_holds_nothing() -> None:
    kept: list[Exception] = []
    held: list[weakref.ref[Tensor]] = []

    def inner() -> None:
        large = torch.zeros(10)
        held.append(weakref.ref(large))
        raise torch.OutOfMemoryError

    def outer() -> None:
        beside = torch.zeros(10)
        held.append(weakref.ref(beside))
        try:
            inner()
        except torch.OutOfMemoryError as error:
            raise RuntimeError("within") from error

    try:
        outer()
    except RuntimeError as error:
        kept.append(error)
    assert any(one() is not None for one in held)
    let_go(kept[0])
    assert not [one for one in held if one() is not None]
