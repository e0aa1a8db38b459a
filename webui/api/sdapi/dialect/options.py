"""A1111's settings over the table of fields: which field of a request each one becomes.

`GET/POST /sdapi/v1/options` and `override_settings` both read this table; the routes stand in `settings.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from webui.domain.parameters.row import Row
from webui.domain.parameters.table import ROWS, default_of
from webui.domain.request import GenerationRequest

CHECKPOINT = "sd_model_checkpoint"
REFINER_BY_STEPS = "refiner_switch_by_sample_steps"


@dataclass(frozen=True, slots=True)
class Option:
    """One setting of A1111.

    Attributes:
        key: A1111's name of it.
        path: dotted path of the request field.
        decode: from A1111's value to the field's; `encode` is the way back.
    """

    key: str
    path: str
    decode: Callable[[Any], Any]
    encode: Callable[[Any], Any]


def _is_of_one_task(row: Row) -> bool:
    """Whether the field is part of something that a request asks for, and so no starting value."""
    return row.path.startswith(("task.", "refiner."))


OPTIONS: Mapping[str, Option] = MappingProxyType(
    {
        row.option: Option(row.option, row.path, row.option_codec.decode, row.option_codec.encode)
        for row in ROWS
        if row.option and not _is_of_one_task(row)
    }
)
_OF_ONE_TASK: Mapping[str, Any] = MappingProxyType(  # each with its default
    {row.option: default_of(row.path) for row in ROWS if row.option and _is_of_one_task(row)}
)

# Known to clients, accepted in every spelling, and without effect on the images that these routes make.
NEUTRAL: Mapping[str, Any] = MappingProxyType(
    {
        **_OF_ONE_TASK,
        "batch_cond_uncond": True,
        "persistent_cond_cache": True,
        "lora_functional": False,
        "return_grid": False,
        "grid_save": False,
        "face_restoration": False,  # this and the next two: words that extensions honour (honoured.py)
        "face_restoration_model": "CodeFormer",
        "code_former_weight": 0.5,
        "auto_backcompat": True,
        "disable_weights_auto_swap": True,
        "add_model_name_to_info": True,
        "add_model_hash_to_info": True,
    }
)


@dataclass(frozen=True, slots=True)
class FixedOptions:
    """Settings that clients may read; they are changed with the program's flags, not over the network."""

    samples_format: str = "png"
    jpeg_quality: int = 80
    webp_lossless: bool = False
    samples_save: bool = True
    enable_pnginfo: bool = True
    save_txt: bool = False
    show_progress_every_n_steps: int = 5

    def values(self) -> dict[str, Any]:
        """A1111's keys and values."""
        return {
            "samples_format": self.samples_format,
            "jpeg_quality": self.jpeg_quality,
            "webp_lossless": self.webp_lossless,
            "samples_save": self.samples_save,
            "enable_pnginfo": self.enable_pnginfo,
            "save_txt": self.save_txt,
            "live_previews_enable": self.show_progress_every_n_steps > 0,
            "show_progress_every_n_steps": self.show_progress_every_n_steps,
        }


def with_a1111_defaults(starting: GenerationRequest) -> GenerationRequest:
    """The starting values with A1111's default where the user chose nothing and ours is another.

    Clients of this API expect the noise source that A1111 has (`GPU`; the same numbers as CPU where there is no GPU).
    """
    if "source" in starting.noise.model_fields_set:
        return starting
    return starting.model_copy(update={"noise": starting.noise.model_copy(update={"source": "GPU"})})
