"""Stored plots: nothing is made twice, whatever ends in between, and a plot is opened, continued and extended."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.doors import PATIENCE
from tests.engine_bench import Bench
from tests.painting import text_of
from webui.domain.errors import Cancelled, WebuiError, WrongStateError
from webui.domain.images import Picture
from webui.domain.request import GenerationRequest, Img2Img
from webui.domain.result import GeneratedImage, GenerationResult, ModelFacts, Progress
from webui.engine.engine import Engine
from webui.engine.plots import Plot
from webui.executors.inline import InlineExecutor
from webui.experiments.plans import started
from webui.experiments.script import Surroundings
from webui.experiments.script_list import script_named
from webui.processing.ports import Reporter

SMALL = GenerationRequest(prompt="a cat", seed=5, steps=2, width=64, height=64, checkpoint="tiny")
PLAN = {"kind": "xyz", "axes": [{"id": "seed", "values": "1-3"}, {"id": "cfg_scale", "values": "5, 7"}]}


@dataclass
class Painter:
    """A back whose pictures follow from seed, guidance, and the picture that it starts from.

    Attributes:
        made: what was asked of it, in order.
        fails: whether it cannot do a request.
        gate: it waits for this before each picture.
    """

    made: list[GenerationRequest] = field(default_factory=list)
    fails: Callable[[GenerationRequest], bool] = lambda request: False
    gate: threading.Semaphore | None = None

    def run(
        self, request: GenerationRequest, reporter: Reporter, made: frozenset[int] = frozenset()
    ) -> GenerationResult:
        while self.gate is not None and not self.gate.acquire(timeout=0.01):
            reporter.progress(Progress("sampling", 1, 2))
            if reporter.stopped():
                raise Cancelled("stopped")
        if self.fails(request):
            raise WebuiError("no memory")
        self.made.append(request)
        start = request.task.image.png[-64:] if isinstance(request.task, Img2Img) else b""
        shade = hash((request.seed, request.cfg_scale, start)) % 256
        size = (request.width, request.height)
        image = GeneratedImage(Image.new("RGB", size, (shade, 0, 0)), request, text_of(request), 0, 7)
        reporter.image(image)
        return GenerationResult(request, (image,), ModelFacts("tiny", "0123456789"))

    def load(self, checkpoint: str) -> None: ...
    def close(self) -> None: ...


class Threaded(InlineExecutor):
    """Does the jobs in a thread, as long as nobody has ended the program."""

    def _drive(self) -> None:
        threading.Thread(target=super()._drive, daemon=True).start()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, max_queue=99)


def engine_on(bench: Bench, painter: Painter) -> Engine:
    return bench.engine(partial(InlineExecutor if painter.gate is None else Threaded, painter))


def begun(engine: Engine, plan: dict[str, Any] = PLAN, request: GenerationRequest = SMALL) -> Plot:
    job = engine.experiment(started(json.dumps(plan), request, Surroundings()), save=True, owner="ada")
    found = engine.plots.find(job.work.plot)
    assert found is not None
    return found


def ended(engine: Engine, plot: Plot) -> Plot:
    """The plot once nothing makes cells of it."""
    found = engine.plots.find(plot.id)
    assert found is not None
    if found.job is not None:
        assert found.job.wait_for(lambda now: now.ended, PATIENCE)
        found = engine.plots.find(plot.id)
        assert found is not None
    return found


def states(engine: Engine, plot: Plot) -> Counter[str]:
    return Counter(cell.state for cell in engine.plots.cells(plot))


def test_a_plot_is_opened_after_its_end(bench: Bench) -> None:
    painter = Painter()
    engine = engine_on(bench, painter)
    plot = ended(engine, begun(engine))
    assert (plot.state, plot.row.done, plot.row.count, plot.row.title) == ("done", 6, 6, "X/Y/Z plot: a cat")
    assert plot.layout.sizes == (3, 2, 1)
    assert [scale.values for scale in plot.layout.scales] == [("1", "2", "3"), ("5", "7"), ("",)]
    cells = engine.plots.cells(plot)
    assert [cell.at for cell in cells][:4] == [(0, 0, 0), (1, 0, 0), (2, 0, 0), (0, 1, 0)]
    assert all(f"Seed: {cell.at[0] + 1}," in cell.infotext for cell in cells)
    assert all(path is not None and path.is_file() for path in map(engine.plots.file, cells))
    assert engine.plots.plan(plot) | PLAN == engine.plots.plan(plot) | {"axes": [*PLAN["axes"], None]} | PLAN
    assert len(engine.plots.sheets(plot)) == 1
    assert [one.id for one in engine.plots.all("ada")] == [plot.id]
    assert engine.plots.all("bob") == ()


def test_a_failing_cell_is_a_gap_with_its_sentence_and_is_filled_in_later(bench: Bench) -> None:
    painter = Painter(fails=lambda request: request.seed == 2 and request.cfg_scale == 5)
    engine = engine_on(bench, painter)
    plot = ended(engine, begun(engine))
    failed = [cell for cell in engine.plots.cells(plot) if cell.state == "failed"]
    assert [(cell.at, cell.error) for cell in failed] == [((1, 0, 0), "no memory")]
    assert (plot.state, plot.row.done) == ("done", 5)
    painter.fails = lambda request: False
    before = len(painter.made)
    engine.plots.go_on(plot)
    plot = ended(engine, plot)
    assert (plot.row.done, len(painter.made) - before) == (6, 1)


def test_a_cell_whose_file_is_gone_is_empty_and_is_made_again(bench: Bench) -> None:
    painter = Painter()
    engine = engine_on(bench, painter)
    plot = ended(engine, begun(engine))
    gone = engine.plots.file(engine.plots.cells(plot)[5])
    assert gone is not None
    gone.unlink()
    assert states(engine, plot) == {"there": 5, "empty": 1}
    engine.plots.go_on(plot)
    assert states(engine, ended(engine, plot)) == {"there": 6}
    assert [(one.seed, one.cfg_scale) for one in painter.made[6:]] == [(3, 7)]
    engine.plots.delete(plot)
    assert engine.plots.find(plot.id) is None
    assert len(list((bench.folder / "outputs").rglob("*.png"))) == 6 + 2  # cells, and a sheet before and after


def test_an_axis_is_extended_without_making_old_cells_again(bench: Bench) -> None:
    painter = Painter()
    engine = engine_on(bench, painter)
    plan = {**PLAN, "axes": [{"id": "steps", "values": "3, 4"}, {"id": "cfg_scale", "values": "5, 7"}]}
    plot = ended(engine, begun(engine, plan | {"vary": [True, True, False]}))
    old = {cell.at: cell.infotext for cell in engine.plots.cells(plot)}
    engine.plots.extend(plot, 0, ["5"])
    plot = ended(engine, plot)
    assert plot.layout.sizes == (3, 2, 1)
    assert [(one.steps, one.cfg_scale) for one in painter.made[4:]] == [(5, 5), (5, 7)]
    assert {at: text for at, text in ((c.at, c.infotext) for c in engine.plots.cells(plot)) if at in old} == old
    engine.plots.extend(plot, 1, ["9"])
    plot = ended(engine, plot)
    assert [(one.steps, one.cfg_scale) for one in painter.made[6:]] == [(3, 9), (4, 9), (5, 9)]
    assert [one.seed for one in painter.made[6:]] == [5 + 4, 6 + 4, 7 + 4]  # by the sizes before any extension
    with pytest.raises(WebuiError, match="neither a number"):
        engine.plots.extend(plot, 1, ["many"])


def test_random_seeds_stay_when_an_axis_of_seeds_is_extended(bench: Bench) -> None:
    painter = Painter()
    engine = engine_on(bench, painter)
    plan = {"kind": "xyz", "axes": [{"id": "seed", "values": "-1, -1"}]}
    plot = ended(engine, begun(engine, plan))
    engine.plots.extend(plot, 0, ["-1"])
    plot = ended(engine, plot)
    assert len({one.seed for one in painter.made}) == len(painter.made) == 3
    assert plot.layout.scales[0].values == tuple(str(one.seed) for one in painter.made)


def test_a_stop_keeps_what_is_there_and_the_rest_is_made_later(bench: Bench) -> None:
    painter = Painter(gate=threading.Semaphore(2))
    engine = engine_on(bench, painter)
    plot = begun(engine)
    job = plot.job
    assert job is not None
    assert job.wait_for(lambda now: now.progress.done == 2 and bool(now.progress.job_id), PATIENCE)
    with pytest.raises(WrongStateError):
        engine.plots.go_on(plot)
    job.cancel()
    plot = ended(engine, plot)
    assert plot.state == "stopped"
    assert states(engine, plot) == {"there": 2, "empty": 4}
    painter.gate = None
    engine.plots.go_on(plot)
    plot = ended(engine, plot)
    assert (plot.state, states(engine, plot)) == ("done", {"there": 6})
    assert len({(one.seed, one.cfg_scale) for one in painter.made}) == len(painter.made) == 6


@pytest.mark.parametrize("pictures", [0, 3, 5])
def test_an_end_of_the_program_costs_no_cell(bench: Bench, pictures: int) -> None:
    painter = Painter(gate=threading.Semaphore(pictures))
    engine = engine_on(bench, painter)
    plot = begun(engine)
    assert plot.job is not None
    assert plot.job.wait_for(lambda now: now.progress.done == pictures and bool(now.progress.job_id), PATIENCE)
    engine.close()
    assert len(painter.made) == pictures
    later = Painter()
    engine = engine_on(bench, later)
    found = engine.plots.find(plot.id)
    assert found is not None
    plot = ended(engine, found)
    assert (plot.state, plot.row.done) == ("done", 6)
    made = [(one.seed, one.cfg_scale) for one in (*painter.made, *later.made)]
    assert len(set(made)) == len(made) == 6
    assert len(engine.plots.sheets(plot)) == 1


def test_what_depends_on_earlier_pictures_is_replayed_with_them(bench: Bench) -> None:
    script = script_named("loopback")
    assert script is not None
    start = Picture.of(Image.new("RGB", (64, 64), "blue"))
    request = SMALL.with_(task=Img2Img(image=start, denoising_strength=0.5), seed=-1)
    around = replace(Surroundings(), chance=1)

    def done(painter: Painter, engine: Engine) -> Plot:
        return ended(engine, engine.plots.all()[0])

    whole = Painter()
    first = Bench(bench.folder / "whole", max_queue=99)
    engine = engine_on(first, whole)
    engine.experiment(script.start(request, [4, 0.5, "Linear", "None"], around), save=True)
    expected = np.asarray(Image.open(engine.plots.sheets(done(whole, engine))[0].path))

    painter = Painter(gate=threading.Semaphore(2))
    engine = engine_on(bench, painter)
    job = engine.experiment(script.start(request, [4, 0.5, "Linear", "None"], around), save=True)
    assert job.wait_for(lambda now: now.progress.done == 2 and bool(now.progress.job_id), PATIENCE)
    engine.close()
    later = Painter()
    engine = engine_on(bench, later)
    plot = done(later, engine)
    assert (plot.state, len(painter.made), len(later.made)) == ("done", 2, 2)
    assert [*painter.made, *later.made] == whole.made
    assert (np.asarray(Image.open(engine.plots.sheets(plot)[0].path)) == expected).all()


def test_cells_that_are_no_results_are_kept_by_the_plot_alone(bench: Bench) -> None:
    script = script_named("sd upscale")
    assert script is not None
    start = Picture.of(Image.new("RGB", (128, 64), "blue"))
    request = SMALL.with_(task=Img2Img(image=start, denoising_strength=0.5))
    painter = Painter(gate=threading.Semaphore(2))
    engine = engine_on(bench, painter)
    experiment = script.start(request, [None, 0, "None", 1.0], Surroundings(choices={"upscalers": ("None",)}))
    job = engine.experiment(experiment, save=True)
    assert job.wait_for(lambda now: now.ended, PATIENCE)
    plot = ended(engine, engine.plots.all()[0])
    cells = engine.plots.cells(plot)
    assert all(plot.keeps(cell) for cell in cells)
    assert {path.suffix for path in map(engine.plots.file, cells) if path is not None} == {".png"}
    assert len(list((bench.folder / "outputs").rglob("*.png"))) == 1  # the joined picture
