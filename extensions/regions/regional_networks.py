"""Networks (`<lora:...>`) of the regions: which of them act in the run of which region. Latent mode only.

A network acts in the runs of the regions in whose text its tag stands; one of the common part stands in each. In the
run of the negative prompt none acts, as in the extension for A1111 with its numbers for the negative prompt at 0.
"""

from collections.abc import Sequence

from webui.extension_api import GenerationRequest, NetworkTag, extra_networks

from .divisions import divided
from .options import RegionsOptions

Tags = tuple[NetworkTag, ...]
NONE: Tags = ()


class RegionalNetworks:
    """What the prompts of a job say."""

    def __init__(self, options: RegionsOptions) -> None:
        self._options = options
        self._known: dict[tuple[str, Tags], tuple[Tags, ...]] = {}
        self._now: Tags = NONE

    @property
    def any(self) -> bool:
        """Whether the pass in work has networks."""
        return bool(self._now)

    def note_prompt(self, request: GenerationRequest) -> None:
        """A prompt of an image, with its tags."""
        plain, tags = extra_networks(request.prompt)
        division = divided(request.prompt, request.negative_prompt, self._options) if tags else None
        if division is not None:
            self._known[plain, tags] = tuple(extra_networks(text)[1] for text in division.texts)

    def begin(self, tags: Sequence[NetworkTag]) -> None:
        """The tags of the pass that comes now."""
        self._now = tuple(tags)

    def of(self, prompt: str, regions: int) -> tuple[Tags, ...] | None:
        """By region (the base first), what acts in its run; None where all do.

        Args:
            prompt: without tags.
            regions: how many texts it has.
        """
        found = self._known.get((prompt, self._now))
        return found if found is not None and len(found) == regions else None
