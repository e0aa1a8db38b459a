"""One training run: optimiser, moving average, progress, and a state on disk from which it continues.

Every batch is made from (seed, step) alone, so an interrupted run that is started again draws the same batches.
"""

import csv
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

SAVE_EVERY = 60.0  # seconds between two states on disk
SAY_EVERY = 10.0  # seconds between two lines of progress


@dataclass(frozen=True, slots=True)
class Rates:
    """Learning rate over a run: warm-up, a plateau, and a linear fall to zero over the last part.

    Attributes:
        peak: AdamW's learning rate on the plateau.
        warmup: steps until it is reached.
        fall: share of the steps over which it falls, 0..1.
    """

    peak: float
    warmup: int = 100
    fall: float = 0.25

    def at(self, step: int, steps: int) -> float:
        rise = min(1.0, (step + 1) / self.warmup)
        left = (steps - step) / max(1.0, self.fall * steps)
        return self.peak * min(rise, left, 1.0)


class Course:
    """Trains the parameters of `module` that require gradients.

    Args:
        name: the name of the run; `folder/name.pt` is its state, `folder/name.csv` its losses.
        average: decay of the exponential moving average of the weights (EMA), which is the result of a run.
    """

    def __init__(self, name: str, module: nn.Module, folder: Path, rates: Rates, *, average: float = 0.999) -> None:
        self.name = name
        self.module = module
        self.device = next(module.parameters()).device
        self.step = 0
        self._rates = rates
        self._decay = average
        self._trained = {key: value for key, value in module.named_parameters() if value.requires_grad}
        self._average = {key: value.detach().clone() for key, value in self._trained.items()}
        self._optimiser = torch.optim.AdamW(self._trained.values(), lr=rates.peak, weight_decay=0.01)
        self._state = folder / f"{name}.pt"
        self._losses = folder / f"{name}.csv"
        folder.mkdir(parents=True, exist_ok=True)
        if self._state.exists():
            self._resume()

    def run(
        self,
        steps: int,
        loss: Callable[[np.random.Generator], Tensor],
        *,
        seed: int,
        look: Callable[[], None] | None = None,
        look_every: int = 1000,
    ) -> None:
        """Train until step `steps`.

        Args:
            loss: a batch's loss from that batch's generator.
            look: writes pictures made with the averaged weights.
        """
        saved = said = time.monotonic()
        recent: list[float] = []
        while self.step < steps:
            for group in self._optimiser.param_groups:
                group["lr"] = self._rates.at(self.step, steps)
            self._optimiser.zero_grad(set_to_none=True)
            value = loss(np.random.default_rng((seed, self.step)))
            value.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(list(self._trained.values()), 1.0)
            self._optimiser.step()
            self.step += 1
            self._follow()
            recent.append(float(value.detach()))
            now = time.monotonic()
            if now - said > SAY_EVERY or self.step == steps:
                self._say(steps, float(np.mean(recent)), len(recent) / max(1e-9, now - said))
                said, recent = now, []
            if now - saved > SAVE_EVERY or self.step == steps:
                self.save()
                saved = now
            if look is not None and (self.step % look_every == 0 or self.step == steps):
                with Averaged(self):
                    look()

    def averaged(self) -> dict[str, Tensor]:
        """The moving average of the trained weights, by parameter name."""
        return self._average

    def _follow(self) -> None:
        """EMA, with less memory in the first steps so that the start is forgotten."""
        decay = min(self._decay, (1.0 + self.step) / (10.0 + self.step))
        with torch.no_grad():
            targets: list[Tensor] = list(self._average.values())
            values: list[Tensor] = list(self._trained.values())
            torch._foreach_lerp_(targets, values, 1.0 - decay)

    def _say(self, steps: int, loss: float, speed: float) -> None:
        left = (steps - self.step) / max(speed, 1e-9) / 60.0
        line = f"{self.name}: step {self.step} of {steps}, loss {loss:.4f}, {speed:.2f} steps/s, {left:.0f} min left"
        sys.stderr.write(line + "\n")
        with self._losses.open("a", newline="") as file:
            csv.writer(file).writerow([self.step, f"{loss:.6f}"])

    def save(self) -> None:
        """Write the state, complete or not at all."""
        state = {
            "step": self.step,
            "weights": dict(self._trained),
            "average": self._average,
            "optimiser": self._optimiser.state_dict(),
        }
        temporary = self._state.with_suffix(".tmp")
        torch.save(state, temporary)
        os.replace(temporary, self._state)

    def _resume(self) -> None:
        state = torch.load(self._state, weights_only=True, map_location=self.device)
        with torch.no_grad():
            for key, value in self._trained.items():
                value.copy_(state["weights"][key])
        self._average = state["average"]
        self._optimiser.load_state_dict(state["optimiser"])
        self.step = state["step"]


class Averaged:
    """While entered, the module holds the moving average instead of the weights in training."""

    def __init__(self, course: Course) -> None:
        self._course = course
        self._kept: dict[str, Tensor] = {}

    def __enter__(self) -> nn.Module:
        self._kept = {key: value.detach().clone() for key, value in self._course._trained.items()}
        self._fill(self._course.averaged())
        return self._course.module.eval()

    def __exit__(self, *_: object) -> None:
        self._fill(self._kept)
        self._course.module.train()

    @torch.no_grad()
    def _fill(self, weights: dict[str, Tensor]) -> None:
        for key, value in self._course._trained.items():
            value.copy_(weights[key])
