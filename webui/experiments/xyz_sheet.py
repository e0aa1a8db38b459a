"""What is shown of the cells of an X/Y/Z plot: grids with their legends, and infotexts in A1111's order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage
from webui.experiments.course import Made, Shown, ShownPicture, with_picture
from webui.experiments.extra_details import with_last, without_keys
from webui.experiments.gaps import failures, filled_in, representative
from webui.experiments.script import Surroundings
from webui.imaging.grids import grid_of
from webui.imaging.legend import Words, with_legend


@dataclass(frozen=True, slots=True)
class Sheet:
    """The layout: x from left to right, y downwards, and a grid for each z beside the one before it.

    Attributes:
        x, y, z: labels; an axis that is not used has one, which is empty.
        plane_details, depth_details: items of the infotexts of grids that tell of X and Y, and of Z.
    """

    x: tuple[str, ...]
    y: tuple[str, ...]
    z: tuple[str, ...]
    legend: bool
    margin: int
    lone_images: bool
    sub_grids: bool
    plane_details: Mapping[str, object]
    depth_details: Mapping[str, object]

    def composed(self, made: Sequence[Made], cells: Sequence[GenerationRequest], around: Surroundings) -> Shown:
        """What is shown, of what became of the cells (x fastest, then y, then z).

        Raises:
            WebuiError: no cell was made.
        """
        first = representative(made)
        pictures = filled_in([one.images[0].image if one.images else None for one in made])
        plane = len(self.x) * len(self.y)
        grids = [
            self._grid(pictures[start : start + plane], around.background) for start in range(0, len(pictures), plane)
        ]
        main = self._main(grids, around.background)
        corners = [next((one.images[0] for one in made[at : at + plane] if one.images), first.image)
                   for at in range(0, len(made), plane)]  # fmt: skip
        subs = [self._told(corner, grid, around) for corner, grid in zip(corners, grids, strict=True)]
        whole = self._told(corners[0], main, around, self.depth_details)
        shown = [ShownPicture(whole, "grid")]
        if self.sub_grids:
            shown += [ShownPicture(one, "grid") for one in subs]
        if self.lone_images:
            shown += self._lone(made, pictures, first.image)
        texts = [one.images[0].infotext if one.images else None for one in made]
        seeds = [one.images[0].request.seed if one.images else cell.seed for one, cell in zip(made, cells, strict=True)]
        prompts = [cell.prompt for cell in cells]
        heads = list(range(0, len(cells), plane)) if self.sub_grids else []
        return Shown(
            tuple(shown),
            (whole.infotext, *(one.infotext for one in subs if self.sub_grids), *texts),
            1,
            (*(seeds[at] for at in heads), *seeds),
            (*(prompts[at] for at in heads), *prompts),
            first.result,
            negative_prompts=tuple(image.request.negative_prompt for image in first.result.images),
            subseeds=tuple(image.subseed for image in first.result.images),
            notices=failures("X/Y/Z plot", made, self.names()),
            interrupted=any(one.stopped for one in made),
        )

    def names(self) -> list[str]:
        """What each cell is called in notices."""
        return [
            ", ".join(label for label in (x, y, z) if label) or "the only cell"
            for z in self.z
            for y in self.y
            for x in self.x
        ]

    def _grid(self, pictures: Sequence[Image.Image], background: str) -> Image.Image:
        grid = grid_of(pictures, len(self.y), background)
        if not self.legend:
            return grid
        cell = grid.width // len(self.x), grid.height // len(self.y)
        above, beside = [[Words(label)] for label in self.x], [[Words(label)] for label in self.y]
        return with_legend(grid, cell, above, beside, margin=self.margin)

    def _main(self, grids: Sequence[Image.Image], background: str) -> Image.Image:
        whole = grid_of(grids, 1, background)
        if not self.legend:
            return whole
        return with_legend(whole, grids[0].size, [[Words(label)] for label in self.z], [[Words()]])

    def _told(
        self,
        corner: GeneratedImage,
        grid: Image.Image,
        around: Surroundings,
        further: Mapping[str, object] = {},
    ) -> GeneratedImage:
        text = with_last(without_keys(corner.infotext, around.own_keys), {**self.plane_details, **further})
        return with_picture(corner, grid, text)

    def _lone(self, made: Sequence[Made], pictures: Sequence[Image.Image], first: GeneratedImage) -> list[ShownPicture]:
        return [
            ShownPicture(one.images[0] if one.images else with_picture(first, picture, ""))
            for one, picture in zip(made, pictures, strict=True)
        ]
