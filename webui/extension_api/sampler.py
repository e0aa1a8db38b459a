"""A sampler that an extension brings. Needs no torch."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from webui.sampling.stepping import SamplerStep


@dataclass(frozen=True, slots=True)
class Sampler:
    """One sampler of the list, by the side of the program's own.

    It walks the noise levels of any schedule from one to the next; "Automatic" means the uniform one. Prompt editing is
    timed as if each step called the network once; a step may call it more often.

    Attributes:
        name: what is shown, sent and written into infotexts: 1 to 60 characters without `<>[],:"`. It may be neither
            the name nor an old name of a sampler that the program has itself.
        move: makes one step, in the worker: `move(denoise, latents, step, past, noise, options) -> Moved`, see
            `webui.extension_api.tensors.SamplerStep`. What it raises ends the job with the names of both.
        memory: how many finished steps it is given as `past`, 0..8.
    """

    name: str
    move: "SamplerStep"
    memory: int = 0
