"""What one image of a job is made of, before any work: extensions may plan others (hook `plan_images`)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """One image of a job.

    Attributes:
        prompt, negative_prompt: with their tags such as `<lora:name:1>`.
        seed, subseed: its own, drawn already; 0 to 2**64 - 1.
    """

    prompt: str
    negative_prompt: str
    seed: int
    subseed: int
