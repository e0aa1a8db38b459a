"""The loop: draws, answers, losses, steps of the optimizer. Whatever is random follows from (seed, count), so weights,
the optimizer's state and the number of the step are all that a run has to keep.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from pydantic import JsonValue
from torch import Tensor, nn

from webui.extension_api import NotFiniteError
from webui.extension_api.tensors import LoadedModel, alphas_cumprod

from . import objective
from .cached_latents import LatentCache, TrainedPicture
from .encoded_texts import Text, size_vector, together
from .optimizers import Group, build_optimizer, rate_share, restore_state, state_of
from .options import TrainOptions
from .sample_order import Draw, Order
from .tag_order import caption_of


class Trainee(Protocol):
    """What is trained of a checkpoint."""

    @property
    def parameters(self) -> Mapping[str, nn.Parameter]: ...
    def groups(self) -> Sequence[Group]: ...


class Texts(Protocol):
    """What encodes captions."""

    def of(self, captions: Sequence[str]) -> list[Text]: ...


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a loop is given.

    Attributes:
        said: a caption as it is read, with the new word of a textual inversion.
    """

    model: LoadedModel
    options: TrainOptions
    pictures: Sequence[TrainedPicture]
    latents: LatentCache
    texts: Texts
    trainee: Trainee
    order: Order
    steps: int
    said: Callable[[str], str] = str


class TrainingLoop:
    """One run of training, at some step."""

    def __init__(self, lesson: Lesson) -> None:
        self._lesson = lesson
        self.step = 0
        options = lesson.options
        self._groups = [one for one in lesson.trainee.groups() if one.parameters]
        self.optimizer = build_optimizer(self._groups, options)
        self._alphas = alphas_cumprod(lesson.model.spec)
        self._velocity = lesson.model.spec.prediction == "v"
        self._device = lesson.model.unet.module.conv_in.weight.device
        with torch.no_grad():
            self._empty = lesson.texts.of([lesson.said("")])[0]
        if options.checkpointing:
            lesson.model.unet.module.enable_gradient_checkpointing()

    def steps(self) -> Iterator[tuple[int, float, float, float]]:
        """Do the steps that are left; after each its number from 1, its loss, its learning rate, and its seconds.

        Raises:
            NotFiniteError: the loss is none.
        """
        while self.step < self._lesson.steps:
            began = time.monotonic()
            with torch.enable_grad():
                loss, rate = self._one()
            self.step += 1
            yield self.step, loss, rate, time.monotonic() - began

    def state(self) -> tuple[dict[str, Tensor], dict[str, JsonValue]]:
        """Everything from which the run goes on: tensors, and what JSON can hold."""
        tensors = {f"weight.{name}": value.detach() for name, value in self._lesson.trainee.parameters.items()}
        kept, plain = state_of(self.optimizer)
        return tensors | {f"optimizer.{name}": value for name, value in kept.items()}, {
            "step": self.step, "optimizer": plain,
        }  # fmt: skip

    @torch.no_grad()
    def go_on(self, tensors: Mapping[str, Tensor], plain: Mapping[str, Any]) -> None:
        """Go on from what `state` told."""
        for name, value in self._lesson.trainee.parameters.items():
            value.copy_(tensors[f"weight.{name}"])
        kept = {name.removeprefix("optimizer."): one for name, one in tensors.items() if name.startswith("optimizer.")}
        restore_state(self.optimizer, kept, plain["optimizer"])
        self.step = int(plain["step"])

    def _one(self) -> tuple[float, float]:
        """One step of the optimizer: (loss, learning rate)."""
        lesson, options = self._lesson, self._lesson.options
        draws = lesson.order.step(self.step)
        share = rate_share(self.step, lesson.steps, options)
        for row, group in zip(self.optimizer.param_groups, self._groups, strict=True):
            row["lr"] = group.rate * share
        self.optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for start in range(0, len(draws), options.batch_size):
            loss = self._losses(draws[start : start + options.batch_size]).sum() / len(draws)
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        if total != total or total == float("inf"):
            raise NotFiniteError(
                f"the loss of step {self.step + 1} is {total}; try a lower learning rate, or bf16 instead of fp16"
            )
        trained = [value for group in self._groups for value in group.parameters]
        if options.clip_norm:
            nn.utils.clip_grad_norm_(trained, options.clip_norm)
        self.optimizer.step()
        return total, self._groups[0].rate * share

    def _losses(self, draws: Sequence[Draw]) -> Tensor:
        """The loss of each picture of a batch."""
        lesson, options = self._lesson, self._lesson.options
        pictures = [lesson.pictures[one.picture] for one in draws]
        mirrored = [options.flip and _lot(options.seed, one.sample, "flip") < 0.5 for one in draws]
        latents = torch.stack(
            [lesson.latents.of(one, mirrored=flip) for one, flip in zip(pictures, mirrored, strict=True)]
        )
        drawn = [
            objective.noising(
                tuple(row.shape), options.seed, one.sample, timesteps=len(self._alphas), offset=options.noise_offset
            )
            for row, one in zip(latents, draws, strict=True)
        ]
        noise = torch.stack([one.noise for one in drawn])
        timesteps = torch.tensor([one.timestep for one in drawn])
        alphas = self._alphas[timesteps]
        captions = [self._caption(one.item.caption, draw) for one, draw in zip(pictures, draws, strict=True)]
        context, pooled = together(lesson.texts.of(captions), self._empty)
        vector = None
        if pooled is not None:
            vector = size_vector(lesson.model, pooled, [(one.size, one.fit) for one in pictures])
        with self._precision():
            answer = self._answer(objective.noised(latents, noise, alphas), timesteps, context, vector)
        wanted = objective.target(latents, noise, alphas, velocity=self._velocity).to(answer.device)
        weight = objective.weights(alphas, options.min_snr_gamma, velocity=self._velocity)
        return objective.losses(answer, wanted, weight.to(answer.device))

    def _answer(self, noised: Tensor, timesteps: Tensor, context: Tensor, vector: Tensor | None) -> Tensor:
        device, dtype = self._device, self._lesson.model.dtype
        answer: Tensor = self._lesson.model.unet.module(
            noised.to(device, dtype),
            timesteps.to(device),
            context.to(device, dtype),
            class_labels=None if vector is None else vector.to(device, dtype),
            return_dict=False,
        )[0]
        return answer

    def _caption(self, caption: str, draw: Draw) -> str:
        options = self._lesson.options
        if options.caption_dropout and _lot(options.seed, draw.sample, "dropout") < options.caption_dropout:
            return self._lesson.said("")
        if options.shuffle_caption:
            caption = caption_of(caption, options.seed, draw.sample, keep=options.keep_tokens)
        return self._lesson.said(caption)

    def _precision(self) -> AbstractContextManager[Any]:
        """On a graphics card products are computed in the format of the networks; on a CPU everything is float32."""
        if self._device.type == "cpu":
            return nullcontext()
        return torch.autocast(self._device.type, torch.bfloat16)


def _lot(seed: int, sample: int, purpose: str) -> float:
    """A number 0..1 that follows from the run's seed and the picture's count."""
    return float(torch.rand((), generator=objective.chance(seed, sample, purpose)))
