"""Scripts that an extension declares: they are listed, chosen, stored and taken up like the program's own."""

import json
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.api.fakes import Api, FakeEngine
from tests.doors import PATIENCE
from tests.engine_bench import Library, Saver
from tests.extensions.toys import toy
from tests.narrowing import untyped
from tests.test_plots import SMALL, Painter, Threaded
from webui.domain.errors import BadRequestError, WebuiError
from webui.domain.extensions import ActionCall, ActionOutcome, ActionProgress, ExtensionInfo
from webui.engine.engine import Engine
from webui.engine.plots import Plot
from webui.engine.scripts import scripts_of
from webui.executors.inline import InlineExecutor
from webui.experiments.plans import plan_of, started
from webui.experiments.script import Surroundings
from webui.jobs.store import JobStore
from webui.plugins.catalog import Catalog
from webui.plugins.loader import Extension, load_all
from webui.plugins.options import read_options

CODE = """
    from pydantic import Field

    class Steps(Options):
        count: int = Field(3, ge=1, le=9, title="How many")
        word: str = Field("", title="Word")

    def ladder(request, options):
        if options.word == "no":
            raise BadRequestError("word", "is not taken")
        steps = range(2, 2 + options.count)
        cells = tuple(request.with_(steps=one, cfg_scale=cfg) for cfg in (4.0, 8.0) for one in steps)
        return ScriptPlan(cells, (ScriptAxis("Steps", tuple(map(str, steps))), ScriptAxis("CFG", ("4", "8"))))

    def chain(request, options):
        seed = request.seed
        for number in range(options.count):
            made = yield request.with_(seed=seed)
            if made.error:
                return
            seed = seed + 10 + made.images[0].open().getpixel((0, 0))[0]

    @hookimpl
    def scripts():
        return [
            Script("ladder", "Ladder", Steps, plan=ladder),
            Script("chain", "Seed chain", Steps, steps=chain, count=lambda request, options: options.count),
        ]
"""


class Acting(Painter):
    """A back with the extension in it, which does its actions as the worker does."""

    loaded: Mapping[str, Extension]

    def extensions(self) -> tuple[ExtensionInfo, ...]:
        return ()

    def act(
        self, call: ActionCall, progress: Callable[[ActionProgress], None], stopped: Callable[[], bool], *_: object
    ) -> ActionOutcome:
        action = self.loaded[call.extension].actions[call.action]
        result = action.run(read_options(action.options, call.options, "options"), untyped(None))
        return ActionOutcome(data=json.loads(json.dumps(result.data)))


@pytest.fixture
def extensions(tmp_path: Path) -> Path:
    toy(tmp_path / "extensions", "ladders", CODE)
    return tmp_path / "extensions"


def engine_of(folder: Path, back: Painter) -> Engine:
    loaded = load_all(folder / "extensions")
    if isinstance(back, Acting):
        back.loaded = loaded.extensions
    return Engine(
        partial(Threaded if back.gate is not None else InlineExecutor, untyped(back)),
        untyped(Library(folder / "models")), JobStore(folder / "jobs.sqlite3"), untyped(Saver(folder / "outputs")),
        data_dir=folder, extensions=Catalog(loaded.infos),
    )  # fmt: skip


def begun(engine: Engine, script: str, values: dict[str, Any]) -> Plot:
    plan = json.dumps({"kind": "other", "script": script, "values": values})
    experiment = started(plan, SMALL, Surroundings(), engine.plots.scripts())
    job = engine.experiment(experiment, save=True)
    return engine.plots.all()[0] if not job.wait_for(lambda now: now.ended, 0.0) else ended(engine)


def ended(engine: Engine) -> Plot:
    plot = engine.plots.all()[0]
    if plot.job is not None:
        assert plot.job.wait_for(lambda now: now.ended, PATIENCE)
    return engine.plots.all()[0]


def test_a_plan_is_a_plot_with_its_axes(extensions: Path) -> None:
    back = Acting()
    engine = engine_of(extensions.parent, back)
    begun(engine, "ladder", {"how_many": 2})
    plot = ended(engine)
    assert (plot.state, plot.row.done, plot.layout.sizes) == ("done", 4, (2, 2, 1))
    assert [scale.label for scale in plot.layout.scales] == ["Steps", "CFG", ""]
    assert [(one.steps, one.cfg_scale) for one in back.made] == [(2, 4), (3, 4), (2, 8), (3, 8)]
    assert engine.plots.plan(plot)["values"] == {"how_many": 2, "word": ""}
    assert len(engine.plots.sheets(plot)) == 1
    with pytest.raises(BadRequestError, match="is not taken") as caught:
        begun(engine, "ladder", {"word": "no"})
    assert caught.value.field == "experiment.values.word"
    engine.close()


def test_steps_are_handed_each_picture_and_go_on_after_an_end_of_the_program(extensions: Path) -> None:
    whole = Acting()
    engine = engine_of(extensions.parent, whole)
    begun(engine, "seed chain", {"how_many": 4})
    assert ended(engine).state == "done"
    engine.close()
    seeds = [one.seed for one in whole.made]
    assert len(set(seeds)) == 4
    other = extensions.parent / "other"
    other.mkdir()
    (other / "extensions").symlink_to(extensions)
    first = Acting(gate=threading.Semaphore(2))
    engine = engine_of(other, first)
    plot = begun(engine, "seed chain", {"how_many": 4})
    assert plot.job is not None
    assert plot.job.wait_for(lambda now: now.progress.done == 2 and bool(now.progress.job_id), PATIENCE)
    engine.close()
    later = Acting()
    engine = engine_of(other, later)
    assert ended(engine).state == "done"
    assert [one.seed for one in (*first.made, *later.made)] == seeds
    engine.close()


def test_scripts_are_listed_for_clients_and_for_the_page(extensions: Path) -> None:
    api = Api(FakeEngine(extensions=Catalog(load_all(extensions).infos)))
    for task in ("txt2img", "img2img"):
        assert {"ladder", "seed chain"} < set(api.get("/sdapi/v1/scripts").json()[task])
    told = {one["name"]: one for one in api.get("/sdapi/v1/script-info").json()}
    assert [(one["label"], one["value"], one["maximum"]) for one in told["ladder"]["args"]] == [
        ("How many", 3, 9), ("Word", "", None)
    ]  # fmt: skip
    page = {one["name"]: one for one in api.get("/internal/page/experiments").json()["scripts"]}
    assert [one["name"] for one in page["seed chain"]["options"]] == ["how_many", "word"]
    assert "script ladder" not in {action for info in api.engine.extensions.infos for action in map(str, info.actions)}
    answer = api.txt2img(script_name="Ladder", script_args=[2])  # the back of this test cannot do actions
    assert answer.status_code != 404
    assert api.txt2img(script_name="no such").status_code == 422


@pytest.mark.parametrize(
    ("declared", "fault"),
    [
        ('Script("x", "X", Options)', "either a plan or steps"),
        ('Script("x", "X", Options, steps=lambda request, options: None)', "should have a count"),
        ('Script("a b", "X", Options, plan=lambda request, options: None)', "is taken"),
        ("1", "expected a list of Script"),
    ],
)
def test_a_wrong_declaration_is_said(declared: str, fault: str, tmp_path: Path) -> None:
    toy(tmp_path, "wrong", f"    @hookimpl\n    def scripts():\n        return [{declared}]\n")
    (info,) = load_all(tmp_path).infos
    assert info.state == "failed"
    assert fault in info.error


def test_a_plan_that_does_not_fill_its_axes_is_refused(tmp_path: Path) -> None:
    code = """
    def plan(request, options):
        return ScriptPlan((request,), (ScriptAxis("X", ("1", "2")),))

    @hookimpl
    def scripts():
        return [Script("x", "Wrong", Options, plan=plan)]
    """
    toy(tmp_path / "extensions", "wrong", code)
    engine = engine_of(tmp_path, Acting())
    with pytest.raises(WebuiError, match=r"1 cells and axes of \[2\] values"):
        begun(engine, "wrong", {})
    engine.close()


def test_what_is_stored_needs_no_second_answer(extensions: Path) -> None:
    engine = engine_of(extensions.parent, Acting())
    plan = json.dumps({"kind": "other", "script": "ladder", "values": {}})
    origin = started(plan, SMALL, Surroundings(), engine.plots.scripts()).origin
    assert origin is not None
    asked: list[ActionCall] = []

    def ask(call: ActionCall) -> Mapping[str, Any]:
        asked.append(call)
        return {}

    scripts = scripts_of(engine.extensions.infos, ask)
    script = next(one for one in scripts if one.name == origin.script)
    assert script.start(origin.request, origin.arguments, origin.around).count == 6
    assert asked == []
    assert plan_of(origin, scripts)["script"] == "ladder"
    engine.close()
