"""What cards of several sizes need for a job, by networks of the real sizes without numbers: the same residency that
runs on a card moves them, and every tensor that would be allocated is counted. Nothing is computed.

`python -m benchmarks.memory_plan` prints the table of docs/benchmarks.md.
"""

import weakref
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers.models.clip.configuration_clip import CLIPTextConfig
from transformers.models.clip.modeling_clip import CLIPTextModel

from webui.weights.estimates import decoder_activations, tower_activations, unet_activations_of
from webui.weights.residency import GIB, Residency
from webui.weights.resident import Resident

CPU = torch.device("cpu")
RESERVE = 0.7  # GiB; the default of --reserve-vram
HALF = torch.float16


@dataclass(frozen=True, slots=True)
class Plan:
    """What one job needs on one card.

    Attributes:
        card, peak: GiB that there are, and that are in use at once at most, with what is reserved.
        whole: GiB that the job would need with all networks on the card.
        streamed: share of the denoising network's weights that come at every call.
    """

    name: str
    card: float
    peak: float
    whole: float
    streamed: float

    @property
    def fits(self) -> bool:
        return self.peak <= self.card


class Live(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of tensors that are made while it is entered and still live; `peak` is the most of them."""

    def __init__(self, weights: Iterable[Tensor]) -> None:
        """`weights`: what was there before; their views are nothing new."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._before = {weight.untyped_storage()._cdata for weight in weights}
        self._holders: dict[int, tuple[int, int]] = {}  # of each storage: how many tensors have it, and its bytes

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        answer = func(*args, **(kwargs or {}))
        for one in tree_leaves(answer):
            if isinstance(one, Tensor):
                self._note(one)
        return answer

    def _note(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._before:
            return
        count, _ = self._holders.get(key, (0, size))
        if not count:
            self.now += size
            self.peak = max(self.peak, self.now)
        self._holders[key] = (count + 1, size)
        weakref.finalize(tensor, self._gone, key)

    def _gone(self, key: int) -> None:
        count, size = self._holders.pop(key)
        if count > 1:
            self._holders[key] = (count - 1, size)
        else:
            self.now -= size


def without_numbers(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A network from the meta device as tensors that have sizes alone; inside a FakeTensorMode."""
    for owner in module.modules():
        for name, weight in tuple(owner._parameters.items()):
            if weight is not None:
                owner._parameters[name] = nn.Parameter(torch.empty(weight.shape, dtype=dtype), requires_grad=False)
        for name, buffer in tuple(owner._buffers.items()):
            if buffer is not None:
                owner._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype)
    return module.train(mode=False)


@dataclass(frozen=True, slots=True)
class Job:
    """A job by its sizes: pixels of a side, rows of a call, and its networks."""

    name: str
    side: int
    rows: int
    unet: UNet2DConditionModel
    towers: Sequence[CLIPTextModel]
    vae: AutoencoderKL
    vae_dtype: torch.dtype
    control: ControlNetModel | None


def sdxl_unet() -> UNet2DConditionModel:
    """The UNet of SDXL."""
    made: UNet2DConditionModel = UNet2DConditionModel(
        cross_attention_dim=2048, attention_head_dim=(5, 10, 20), use_linear_projection=True,
        block_out_channels=(320, 640, 1280), transformer_layers_per_block=(1, 2, 10),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        class_embed_type="projection", projection_class_embeddings_input_dim=2816,
    )  # fmt: skip
    return made


def sd15_unet() -> UNet2DConditionModel:
    """The UNet of Stable Diffusion 1.5."""
    made: UNet2DConditionModel = UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8)
    return made


def sdxl() -> Job:
    """SDXL at 1024 x 1024 with a ControlNet; its LoRA is written into the weights and needs no room of its own."""
    unet = sdxl_unet()
    towers = [_tower(768, 12, 12), _tower(1280, 32, 20)]
    return Job("SDXL 1024², LoRA, ControlNet", 1024, 2, unet, towers, _vae(), torch.float32, _control(unet))


def sd15() -> Job:
    """Stable Diffusion 1.5 at 512 x 512."""
    return Job("SD1.5 512²", 512, 2, sd15_unet(), [_tower(768, 12, 12)], _vae(), HALF, None)


def _tower(width: int, layers: int, heads: int) -> CLIPTextModel:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=49408, hidden_size=width, intermediate_size=4 * width,
            num_hidden_layers=layers, num_attention_heads=heads,
        )
    )  # fmt: skip


def _vae() -> AutoencoderKL:
    made: AutoencoderKL = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512), layers_per_block=2,
    )  # fmt: skip
    return made


def _control(unet: UNet2DConditionModel) -> ControlNetModel:
    made: ControlNetModel = ControlNetModel.from_unet(unet, load_weights_from_unet=False)
    return made


@contextmanager
def _counted(
    residency: Residency, resident: Resident, activations: int, weights: Iterable[Tensor], peaks: list[int]
) -> Iterator[None]:
    """A call of a network: what its tensors need beside the weights that are there."""
    with residency.use(resident, activations):
        live = Live(weights)
        loaded = sum(one.loaded for one in residency.state().networks)
        with live:
            yield
        peaks.append(loaded + live.peak)


def planned(job: Job, card: float, *, steps: int = 8, computes: bool = True) -> Plan:
    """Run a job's networks by turns on a card of so many GiB. Inside the FakeTensorMode of the job's networks.

    Args:
        computes: count the tensors of the last step's calls; else what is estimated for them counts, which is quick.
    """
    residency = Residency(CPU, int((card - RESERVE) * GIB))
    cells = job.side // 8
    towers = [Resident(f"text encoder {number}", tower) for number, tower in enumerate(job.towers)]
    unet, vae = Resident("UNet", job.unet), Resident("VAE", job.vae)
    control = [] if job.control is None else [Resident("ControlNet", job.control)]
    for one in (*towers, unet, vae, *control):
        residency.adopt(one, one.name, here=False)
    sampling = unet_activations_of(job.rows, cells, cells, 320, HALF)
    decoding = decoder_activations(job.side, job.side, 128, job.vae_dtype)
    side = 0
    for tile in (64, 32):
        if not residency.fits(vae, decoding):
            side, decoding = tile, decoder_activations((tile + 22) * 8, (tile + 22) * 8, 128, job.vae_dtype)
    peaks: list[int] = []
    for tower in towers:
        needed = tower_activations((2, 77), 1280, HALF)
        with residency.use(tower, needed):
            peaks.append(sum(one.loaded for one in residency.state().networks) + tower.must + needed)
    streamed = 0.0
    for step in range(steps):
        for one in (*control, unet):
            if computes and step == steps - 1:
                weights = [*job.unet.parameters(), *(job.control.parameters() if job.control else ())]
                with _counted(residency, one, sampling, weights, peaks):
                    _asked(job, one, cells)
            else:
                with residency.use(one, sampling):
                    there = sum(other.loaded for other in residency.state().networks)
                    peaks.append(there + (0 if one.is_whole else one.must) + sampling)
        streamed = 1 - unet.loaded / unet.bytes
    with residency.use(vae, decoding):
        there = sum(one.loaded for one in residency.state().networks)
        peaks.append(there + (0 if vae.is_whole else vae.must) + decoding)
    whole = sum(one.bytes for one in (*towers, unet, vae, *control)) + max(
        sampling, decoder_activations(job.side, job.side, 128, job.vae_dtype)
    )
    name = f"{job.name}{f', decoded in tiles of {side}' if side else ''}"
    return Plan(name, card, max(peaks) / GIB + RESERVE, whole / GIB + RESERVE, streamed)


def _asked(job: Job, resident: Resident, cells: int) -> None:
    """A call of the UNet or the ControlNet. What a ControlNet adds is left out: it is a part of a row's activations."""
    rows, width = job.rows, int(job.unet.config["cross_attention_dim"])
    sample = torch.empty(rows, 4, cells, cells, dtype=HALF)
    timestep, context = torch.empty(rows), torch.empty(rows, 77, width, dtype=HALF)
    vector = None if job.unet.class_embedding is None else torch.empty(rows, 2816, dtype=HALF)
    if resident.name == "UNet":
        job.unet(sample, timestep, context, class_labels=vector, return_dict=False)
    elif job.control is not None:
        hint = torch.empty(rows, 3, job.side, job.side, dtype=HALF)
        job.control(sample, timestep, context, hint, class_labels=vector, return_dict=False)


@contextmanager
def sized(make: Any) -> Iterator[Job]:
    """A job whose networks have sizes and no numbers."""
    with torch.device("meta"):
        job: Job = make()
    with FakeTensorMode(), torch.inference_mode():
        for network in (job.unet, *job.towers, *([] if job.control is None else [job.control])):
            without_numbers(network, HALF)
        without_numbers(job.vae, job.vae_dtype)
        yield job


def main() -> None:
    """Print the table."""
    print("| job | card GiB | needs at once | with all networks on it | of the UNet streams |")
    print("| --- | --- | --- | --- | --- |")
    for make, cards in ((sd15, (2, 4)), (sdxl, (4, 6, 8, 12, 24))):
        with sized(make) as job:
            for card in cards:
                found = planned(job, card)
                print(f"| {found.name} | {card} | {found.peak:.2f} | {found.whole:.2f} | {found.streamed:.0%} |")


if __name__ == "__main__":
    main()
