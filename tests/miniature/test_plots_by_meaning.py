"""An X/Y/Z plot of colour, shape and seed: every cell shows what its place says."""

import json
from dataclasses import replace

from tests.experiments.courses import run
from tests.miniature.painting import run as painted
from tools.train_mini.judge import judge
from webui.domain.request import GenerationRequest
from webui.domain.result import GenerationResult
from webui.experiments.course import Made
from webui.experiments.plans import started
from webui.experiments.script import Surroundings
from webui.processing.back import Back

COLOURS, SHAPES, SEEDS = ("red", "green", "yellow"), ("circle", "square"), "1-2"
STEPS = 8
NEEDED = 11  # of 12, as the miniature itself errs now and then


def test_each_cell_shows_the_colour_and_the_shape_of_its_place(back: Back) -> None:
    axes = [
        {"id": "prompt_sr", "values": list(COLOURS)},
        {"id": "prompt_sr", "values": list(SHAPES)},
        {"id": "seed", "values": SEEDS},
    ]
    request = GenerationRequest(prompt="a red circle on a blue background", checkpoint="mini")
    experiment = started(json.dumps({"kind": "xyz", "axes": axes, "legend": False}), request, Surroundings())

    together: dict[str, GenerationResult] = {}  # cells that differ by their seed alone are one batch, which is quicker

    def make(cell: GenerationRequest) -> Made:
        if cell.prompt not in together:
            together[cell.prompt] = painted(back, cell.prompt, seed=1, batch_size=2, steps=STEPS)
        return Made(replace(together[cell.prompt], images=together[cell.prompt].images[cell.seed - 1 : cell.seed]))

    shown, asked = run(experiment, make)
    sheet = shown.pictures[0].image.image
    assert (len(asked), sheet.size) == (12, (6 * 128, 2 * 128))
    right = 0
    for z in range(2):
        for y, shape in enumerate(SHAPES):
            for x, colour in enumerate(COLOURS):
                left, top = (3 * z + x) * 128, y * 128
                seen = judge(sheet.crop((left, top, left + 128, top + 128)))
                first = seen.objects[0] if seen.objects else None
                right += first is not None and (first.colour, first.shape) == (colour, shape)
    assert right >= NEEDED, f"{right} of 12 cells are right"
