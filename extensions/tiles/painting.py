"""The network's output for all latents, put together of its outputs for tiles and for regions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from webui.extension_api.tensors import Conditioning, ModelCall, Span, Window, text_at

from .grid import batched, feather, gaussian, tiles_over, window_of
from .options import Region, TilesOptions

Network = Callable[[ModelCall], Tensor]
MIXTURE = "Mixture of Diffusers"


@dataclass(frozen=True, slots=True)
class Patch:
    """A region in the latents of a run.

    Attributes:
        number: of the region among those that act.
        window: where it lies.
        weight: (h, w) how much it counts among all that lies there (background), or how much of it is seen.
        is_over: whether it is laid over the rest.
    """

    number: int
    window: Window
    weight: Tensor
    is_over: bool


class Painting:
    """Tiles and regions over latents of one size.

    Attributes:
        windows: the tiles, in the batches in which the network sees them.
        patches: the regions.
    """

    def __init__(self, options: TilesOptions, cells: tuple[int, int]) -> None:
        """`cells`: (h, w) of the latents."""
        self._mixture = options.method == MIXTURE
        tiles = tiles_over(cells, (options.tile_height, options.tile_width), options.overlap)
        self.windows = batched(tiles, options.tile_batch_size) if options.draws_grid else []
        self._tile_weight = self._weight(tiles[0])
        self.patches = tuple(self._patches(options.acting, cells))
        total = torch.zeros(cells)
        for window in (one for batch in self.windows for one in batch):
            window.of(total).add_(self._tile_weight)
        for patch in self.patches:
            if not patch.is_over:
                patch.window.of(total).add_(patch.weight)
        self._total = total

    def output(self, call: ModelCall, network: Network, texts: Sequence[Conditioning]) -> Tensor:
        """(rows, C, h, w): what the network says of all cells; 0 of those that nothing covers, which stay as they are.

        Args:
            network: called for one batch of tiles, or one region, at a time.
            texts: of the regions that act, in their order.
        """
        made: Tensor | None = None
        for windows in self.windows:
            outputs = network(call.within(windows)).chunk(len(windows))
            made = self._empty(call, outputs[0]) if made is None else made
            for window, output in zip(windows, outputs, strict=True):
                window.of(made).add_(output * self._share(window, self._tile_weight).to(output))
        over: list[tuple[Patch, Tensor]] = []
        for patch in self.patches:
            output = in_region(call.within([patch.window]), network, texts[patch.number])
            made = self._empty(call, output) if made is None else made
            if patch.is_over:
                over.append((patch, output))
            else:
                patch.window.of(made).add_(output * self._share(patch.window, patch.weight).to(output))
        if made is None:
            return network(call)
        return _laid_over(made, over)

    def _patches(self, regions: Sequence[Region], cells: tuple[int, int]) -> "Sequence[Patch]":
        found: list[Patch] = []
        for number, region in enumerate(regions):
            window = window_of(region, cells)
            if window is None:
                continue
            is_over = region.blend_mode == "Foreground"
            size = (window.height, window.width)
            weight = feather(*size, region.feather_ratio) if is_over else self._weight(window)
            found.append(Patch(number, window, weight, is_over))
        return found

    def _weight(self, window: Window) -> Tensor:
        size = (window.height, window.width)
        return gaussian(*size) if self._mixture else torch.ones(size)

    def _share(self, window: Window, weight: Tensor) -> Tensor:
        return weight / window.of(self._total)

    def _empty(self, call: ModelCall, like: Tensor) -> Tensor:
        return like.new_zeros(len(call.sample), like.shape[1], *call.cells)


def with_own_noise(noise: Tensor, regions: Sequence[Region]) -> Tensor:
    """The noise (B, C, h, w) with that of regions with a seed of their own in their places: foregrounds over
    backgrounds, and where several of a kind lie, their mean.
    """
    cells = (noise.shape[-2], noise.shape[-1])
    for layer in ("Background", "Foreground"):
        total, count = torch.zeros_like(noise), torch.zeros_like(noise)
        for region in regions:
            window = window_of(region, cells) if region.seed >= 0 and region.blend_mode == layer else None
            if window is not None:
                draws = torch.Generator().manual_seed(region.seed)
                shape = (1, noise.shape[1], window.height, window.width)
                window.of(total).add_(torch.randn(shape, generator=draws).to(noise))
                window.of(count).add_(1)
        noise = torch.where(count > 0, total / count.clamp(min=1), noise)
    return noise


def in_region(call: ModelCall, network: Network, text: Conditioning) -> Tensor:
    """The network's output for the window of a region, with the text of the region in place of the picture's.

    Prompt and negative prompt are asked for apart where their texts differ in length.
    """
    prompts, negatives = text_at(text, call)
    asked = [(span, rows) for span, rows in ((prompts, call.positive), (negatives, ~call.positive)) if rows.any()]
    if len({span.context.shape[1] for span, _ in asked}) == 1:
        return network(_told(call, [span for span, _ in asked]))
    outputs = [network(_told(_only(call, rows), [span])) for span, rows in asked]
    return torch.cat(outputs)  # rows of the prompt come first


def _told(call: ModelCall, spans: Sequence[Span]) -> ModelCall:
    vectors = [span.vector for span in spans if span.vector is not None]
    return replace(
        call,
        context=torch.cat([span.context for span in spans]).to(call.context),
        vector=torch.cat(vectors).to(call.sample) if vectors else call.vector,
    )


def _only(call: ModelCall, rows: Tensor) -> ModelCall:
    return replace(
        call,
        sample=call.sample[rows],
        timestep=call.timestep[rows],
        positive=call.positive[rows],
        context=call.context[rows],
        vector=None if call.vector is None else call.vector[rows],
        rows=tuple(told for told, kept in zip(call.rows, rows.tolist(), strict=False) if kept),
    )


def _laid_over(made: Tensor, over: Sequence[tuple[Patch, Tensor]]) -> Tensor:
    """Foregrounds over the rest; where several lie, their mean."""
    if not over:
        return made
    total, seen, count = torch.zeros_like(made), torch.zeros_like(made[:1, :1]), torch.zeros_like(made[:1, :1])
    for patch, output in over:
        patch.window.of(total).add_(output)
        patch.window.of(seen).add_(patch.weight.to(made))
        patch.window.of(count).add_(1)
    number = count.clamp(min=1)
    share = seen / number
    return torch.where(count > 0, made * (1 - share) + total / number * share, made)
