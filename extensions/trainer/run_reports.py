"""Tells a page how a run goes, while it goes: its state, its losses, its samples (`ActionContext.record`)."""

import io
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from PIL import Image
from pydantic import JsonValue

from webui.extension_api import ActionContext

from .run_folders import State

MOST_POINTS = 2000
_EVERY = 1.0  # seconds between two reports of a step
_MEMORY = 0.98  # of the average loss
_WORDS: Mapping[State, str] = MappingProxyType(
    {"caching": "preparing pictures", "sampling": "drawing samples", "saving": "saving"}
)
Point = tuple[int, float, float]


class LossCurve:
    """The loss of each step, thinned: where there are too many points, every other one goes."""

    def __init__(self, points: Sequence[Sequence[float]] = (), stride: int = 1, average: float | None = None) -> None:
        self.points: list[Point] = [(int(step), loss, rate) for step, loss, rate in points]
        self.stride = stride
        self.average = average
        self.last = self.points[-1][1] if self.points else 0.0

    def add(self, step: int, loss: float, rate: float) -> None:
        """A step is done; steps are counted from 1."""
        self.last = loss
        self.average = loss if self.average is None else _MEMORY * self.average + (1 - _MEMORY) * loss
        if (step - 1) % self.stride == 0:
            self.points.append((step, loss, rate))
        if len(self.points) > MOST_POINTS:
            self.stride *= 2
            self.points = [one for one in self.points if (one[0] - 1) % self.stride == 0]

    def told(self) -> dict[str, JsonValue]:
        """What makes it anew."""
        points: list[JsonValue] = [list(one) for one in self.points]
        return {"points": points, "stride": self.stride, "average": self.average}


@dataclass
class RunReport:
    """What is told of one run."""

    context: ActionContext
    run: str
    steps: int
    steps_of_epoch: int
    images: int
    buckets: list[list[int]]
    curve: LossCurve = field(default_factory=LossCurve)
    output: str = ""
    step: int = 0
    rate: float = 0.0
    pace: float = 0.0
    _told: float = float("-inf")

    def stepped(self, step: int, loss: float, rate: float, seconds: float) -> None:
        """A step is done."""
        self.step, self.rate = step, rate
        self.pace = seconds if not self.pace else 0.9 * self.pace + 0.1 * seconds
        self.curve.add(step, loss, rate)
        self.context.progress(step, self.steps, f"step {step} of {self.steps}, loss {self.curve.average or 0:.4f}")
        if time.monotonic() - self._told >= _EVERY:
            self.tell("training")

    def tell(self, state: State) -> None:
        """Tell everything, in this state."""
        self._told = time.monotonic()
        if state in _WORDS:
            self.context.progress(self.step, self.steps, _WORDS[state])
        told = {
            "step": self.step,
            "steps": self.steps,
            "epoch": min(self.step // self.steps_of_epoch + 1, self.epochs),
            "epochs": self.epochs,
            "loss": self.curve.last,
            "average_loss": self.curve.average or 0.0,
            "learning_rate": self.rate,
            "seconds_a_step": self.pace,
            "state": state,
            "output": self.output,
            "run": self.run,
            "images": self.images,
            "buckets": self.buckets,
        }
        self.context.record("training", json.dumps(told).encode())
        self.context.record("losses", json.dumps(self.curve.points).encode())

    def sample(self, step: int, number: int, picture: Image.Image) -> None:
        """A sample is drawn."""
        memory = io.BytesIO()
        picture.save(memory, "PNG")
        self.context.record(f"sample_{step}_{number}", memory.getvalue())

    @property
    def epochs(self) -> int:
        return -(-self.steps // self.steps_of_epoch)
