"""The same request for each picture of a folder, as a user asks for it. Planned in `experiments/picture_batch.py`."""

from typing import Literal

from pydantic import Field

from webui.domain.fields import Frozen
from webui.domain.saving import PATTERN_LENGTH

LONGEST_PATH = 4096  # characters

Taken = Literal["prompt", "negative_prompt", "seed", "cfg_scale", "sampler", "steps", "checkpoint"]
TAKEN: tuple[Taken, ...] = ("prompt", "negative_prompt", "seed", "cfg_scale", "sampler", "steps", "checkpoint")


class BatchOptions(Frozen):
    """How the pictures of a batch are found and what their results are called."""

    folder: str = Field("", max_length=LONGEST_PATH, description="of the pictures, on the server")
    mask_folder: str = Field(
        "", max_length=LONGEST_PATH, description="of masks: one for all, or one for each, called as its picture is"
    )
    info_folder: str = Field(
        "",
        max_length=LONGEST_PATH,
        description="of pictures of the same names whose generation parameters are taken; empty: the pictures' own",
    )
    take: tuple[Taken, ...] = Field(
        (), description="what is taken from these parameters; prompts are put behind those of the request"
    )
    own_size: bool = Field(False, description="each picture keeps its size, cut to multiples of 8")
    keep_names: bool = Field(True, description="results are called as their pictures are")
    skip_existing: bool = Field(False, description="with keep_names: leave out pictures whose result is there already")
    output: str = Field(
        "", max_length=PATTERN_LENGTH, description="with keep_names: the folder inside the outputs folder; empty: as "
        "the folder of the pictures is called"
    )  # fmt: skip
