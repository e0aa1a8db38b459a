"""A family that lives only in tests, as plain data: latents of 16 channels with a shift, flow matching, one text
encoder that reads 24 tokens, a transformer instead of a UNet. Needs no torch."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from webui.library.family import Family, LatentFormat, ModelSpec, TextSide
from webui.library.headers import Header
from webui.library.shapes import Shapes, vae_shape

if TYPE_CHECKING:
    from webui.weights.families.contract import Networks

CONSTANT = "flow.network.constant"


def is_flow(shapes: Shapes) -> bool:
    return CONSTANT in shapes


def read(family: Family, name: str, header: Header, sidecar: Mapping[str, Any]) -> ModelSpec:
    return ModelSpec(
        family=family,
        in_channels=family.latents.channels,
        prediction="velocity",
        prediction_source="default",
        zero_terminal_snr=False,
        latents=family.latents,
        network=None,
        vae=vae_shape(header.shapes),
        sidecar=sidecar,
    )


def _networks() -> "Networks":
    from tests.families.flow.torch_half import FLOW_NETWORKS

    return FLOW_NETWORKS


FLOW = Family(
    name="flow",
    label="Flow",
    latents=LatentFormat(
        channels=16,
        cell=8,
        scale=0.36,
        shift=0.12,
        colours=tuple((0.1, 0.02 * channel, -0.01 * channel) for channel in range(16)),
    ),
    text=TextSide(window=24),
    marks=is_flow,
    read=read,
    networks=_networks,
    size_multiple=16,
    schedule="Simple",
)
