"""The page with an extension that pretends to train: its data sets are real, and a test says how far its run is."""

import base64
import io
import json
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw
from playwright.sync_api import Locator, Page, Route, expect
from pydantic import JsonValue

from tests.doors import DoorEngine, ThreadedExecutor
from tests.extensions.toys import toy
from tests.narrowing import known
from tests.painting import PaintingBack
from tests.ui.driving import served, whole_page
from tests.ui.fakes import FakeLibrary
from webui.domain.errors import Cancelled
from webui.domain.extensions import ActionCall, ActionOutcome, ActionProgress, ExtensionInfo
from webui.domain.recording import RecordedPart
from webui.plugins.catalog import Catalog
from webui.plugins.host import ExtensionHost
from webui.plugins.loader import load_all
from webui.plugins.models import LibraryModels

BUNDLED = Path(__file__).parents[2] / "extensions" / "trainer"
NAME = "painter_school"
CODE = """
    from typing import Literal
    from pydantic import ConfigDict, Field
    from .data_set_actions import data_set_actions

    class Training(Options):
        model_config = ConfigDict(json_schema_extra=form_hint(tab="train"))

        resume: str = ""
        method: Literal["lora", "finetune"] = "lora"
        base: str = Field("", json_schema_extra=hint(model="checkpoint", label="Checkpoint"))
        data_set: str = ""
        output: str = Field("", json_schema_extra=hint(label="Name"))
        rank: int = Field(16, ge=1, le=256)
        epochs: int = Field(10, ge=1, le=1000, json_schema_extra=hint(pair="length"))
        batch_size: int = Field(1, ge=1, le=64, json_schema_extra=hint(pair="length", control="number"))
        learning_rate: float = Field(0.0001, ge=0, le=10, json_schema_extra=hint(control="number"))
        resolution: int = Field(512, ge=64, le=2048)
        min_bucket: int = Field(256, ge=64, le=4096, json_schema_extra=hint(level="more"))
        sample_prompts: str = Field("", max_length=4000, json_schema_extra=hint(control="lines"))

    class Describing(Options):
        image: ImageField
        model: str = Field("", json_schema_extra=hint(model="captioner"))

    class Nothing(Options):
        pass

    class Removing(Options):
        run: str

    class Sampling(Removing):
        names: tuple[str, ...] = ()

    def nothing(options, context):
        return ActionResult()

    @hookimpl
    def actions():
        return [
            Action("train", "Train", Training, nothing),
            Action("describe", "Describe", Describing, nothing),
            Action("runs", "Runs", Nothing, nothing, light=True),
            Action("remove_run", "Remove", Removing, nothing, light=True),
            Action("run", "A run", Removing, nothing, light=True),
            Action("run_samples", "Samples", Sampling, nothing, light=True),
            *data_set_actions(),
        ]
"""
STEPS = 400
DROPPED = """(node, address) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.setData("text/uri-list", address);
  node.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
}"""


@dataclass
class TrainingBack(PaintingBack):
    """Trains as far as a test says, and describes every picture in the same words.

    Attributes:
        asked: the options of each training.
        begun: set while one is under way.
    """

    host: ExtensionHost | None = None
    asked: list[Mapping[str, Any]] = field(default_factory=list)
    begun: threading.Event = field(default_factory=threading.Event)
    step: int = 0
    finishes: bool = False
    runs: list[JsonValue] = field(default_factory=list)
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)  # what lies on the disk, by the run

    def extensions(self) -> tuple[ExtensionInfo, ...]:
        return known(self.host).loaded.infos

    def act(
        self, call: ActionCall, progress: Callable[[ActionProgress], None], stopped: Callable[[], bool], *_: object
    ) -> ActionOutcome:
        if call.action == "describe":
            return ActionOutcome("a described picture", data={"caption": "a described picture"})
        if call.action == "runs":
            return ActionOutcome(data=[*self.runs])
        if call.action == "run":
            return ActionOutcome(data=self.kept[call.options["run"]])
        if call.action == "run_samples":
            picture = base64.b64encode(sample(90, 0)).decode()
            return ActionOutcome(data=dict.fromkeys(call.options["names"], picture))
        if call.action == "remove_run":
            self.runs.clear()
            return ActionOutcome("removed")
        if call.action != "train":
            return known(self.host).act(call, progress, stopped)
        self.asked.append(call.options)
        self.begun.set()
        looking = threading.Event()
        while not (stopped() or self.finishes):
            progress(ActionProgress(self.step, STEPS, "Training"))
            looking.wait(0.05)
        self.begun.clear()
        if self.finishes:
            return ActionOutcome("my-heart was trained", files=("models/Lora/my-heart.safetensors",))
        raise Cancelled("stopped")


@dataclass(frozen=True)
class TrainHouse:
    """A served page, and what stands behind it."""

    address: str
    engine: DoorEngine
    back: TrainingBack
    data_dir: Path

    @property
    def sets(self) -> Path:
        """The folder of the data sets."""
        return self.data_dir / "data_sets"

    def record(self, step: int, state: str = "training", samples: tuple[int, ...] = ()) -> None:
        """Note how far the training is, as its extension does."""
        job = next(one for one in self.engine.overview.line() if isinstance(one.work, ActionCall))
        self.back.step = step
        told = {
            "step": step, "steps": STEPS, "epoch": 1 + step // 60, "epochs": 7, "loss": 0.1, "average_loss": 0.094,
            "learning_rate": 1e-4, "seconds_a_step": 1.5, "state": state, "output": "", "run": "my-heart",
            "images": 24, "buckets": [[128, 128, 24]],
        }  # fmt: skip
        self._keep(job.id, "training", json.dumps(told).encode())
        self._keep(job.id, "losses", json.dumps(losses(step)).encode())
        for at in samples:
            for number in range(2):
                self._keep(job.id, f"sample_{at}_{number}", sample(at, number))

    def _keep(self, job: str, name: str, data: bytes) -> None:
        self.engine.recordings.keep(job, RecordedPart(NAME, name, data))


def losses(step: int) -> list[tuple[int, float, float]]:
    """A falling curve with noise that is always the same."""
    dice = torch.Generator().manual_seed(1)
    noise = torch.rand(STEPS, generator=dice).tolist()
    return [(at, 0.05 + 0.09 * 0.99**at + 0.08 * noise[at - 1] ** 2, 1e-4 * (1 - at / STEPS)) for at in range(1, step)]


def sample(step: int, number: int) -> bytes:
    """A PNG of a circle that grows."""
    image = Image.new("RGB", (128, 128), ("white", "black")[number])
    radius = 10 + 44 * step // STEPS
    ImageDraw.Draw(image).ellipse((64 - radius, 64 - radius, 64 + radius, 64 + radius), ("red", "green")[number])
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@contextmanager
def train_house(folder: Path) -> Iterator[TrainHouse]:
    """The page over a folder without data sets."""
    place = toy(folder / "extensions", NAME, CODE)
    for file in BUNDLED.iterdir():
        if file.suffix in (".py", ".zip") and file.name != "plugin.py":
            shutil.copy(file, place)
    loaded = load_all(folder / "extensions")
    library = FakeLibrary(folder / "cache")
    data_dir = folder / "data"
    host = ExtensionHost(loaded, LibraryModels(library), torch.device("cpu"), torch.float32, data_dir=data_dir)
    back = TrainingBack(host=host)
    engine = DoorEngine(
        lambda path: library, lambda on_event: ThreadedExecutor(back, on_event), extensions=Catalog(loaded.infos)
    )
    outputs = folder / "outputs"
    outputs.mkdir()
    try:
        with served(whole_page(_with_outputs(engine, outputs), folder)) as address:
            yield TrainHouse(address, engine, back, data_dir)
    finally:
        back.finishes = True
        engine.close()


def _with_outputs(engine: DoorEngine, outputs: Path) -> Any:
    engine.outputs = outputs  # type: ignore[attr-defined]  # what `whole_page` reads of an engine
    return engine


def card(page: Page, name: str) -> Locator:
    """The card of a picture."""
    return page.locator(f'#train .tr-card[data-id$="/{name}"]')


def shown(page: Page, house: TrainHouse, name: str, captions: dict[str, str]) -> Path:
    """Put a data set on the disk and show it."""
    folder = house.sets / name / f"5_{name}"
    folder.mkdir(parents=True)
    for at, (file, caption) in enumerate(captions.items()):
        Image.new("RGB", (120 + at, 60), (40 * at, 200 - 30 * at, 90)).save(folder / file)
        if caption:
            (folder / file).with_suffix(".txt").write_text(caption)
    page.locator("#tab_settings-button").click()
    page.locator("#tab_train-button").click()  # looks at the folders again
    page.locator(f'#train_set option[value="{name}"]').wait_for(state="attached")
    page.locator("#train_set").select_option(name)
    expect(page.locator("#train .tr-card")).to_have_count(len(captions))
    return folder


def drop(page: Page, address: str) -> None:
    """Drop a picture of the page on its data set."""
    page.locator("#train .tr-set").evaluate(DROPPED, address)


def kept_run(name: str, samples: list[str]) -> dict[str, Any]:
    """What lies on the disk of a run that was done."""
    told = {"run": name, "state": "done", "step": 400, "steps": STEPS, "loss": 0.08, "learning_rate": 0.0}
    training = {**told, "method": "lora", "output": f"{name}.safetensors", "prompts": ["a kept cat"]}
    return {"training": training, "losses": losses(STEPS), "samples": samples}


def opened_holding(page: Page, house: TrainHouse, *patterns: str) -> list[list[Route]]:
    """Open the tab anew and hold back what it asks of these addresses."""
    page.goto("about:blank")  # so nothing is held that the page asked for before
    held = [held_back(page, pattern) for pattern in patterns]
    page.goto(f"{house.address}?tab=train")
    return held


def held_back(page: Page, pattern: str) -> list[Route]:
    """Hold what is asked of these addresses back, until a test lets it go on."""
    held: list[Route] = []
    page.route(pattern, lambda route: held.append(route))
    return held
