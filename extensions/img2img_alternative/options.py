"""The options of a request. It needs no torch."""

from typing import Annotated

from pydantic import ConfigDict, Field, FiniteFloat

from webui.extension_api import Options, form_hint, hint


class AlternativeOptions(Options):
    """How the noise is found that leads to the picture, and how much of it is used."""

    model_config = ConfigDict(json_schema_extra=form_hint(summary="{decode_steps} steps, randomness {randomness}"))

    enabled: bool = Field(True, json_schema_extra=hint(control="master"))
    original_prompt: str = Field(
        "",
        max_length=10_000,
        description="tells what the picture shows, not what is wanted",
        json_schema_extra=hint(control="lines"),
    )
    original_negative_prompt: str = Field("", max_length=10_000, json_schema_extra=hint(control="lines"))
    decode_cfg_scale: Annotated[FiniteFloat, Field(ge=0, le=15)] = Field(
        1.0,
        description="of the way back to the noise; best as the CFG scale, and both at most 2",
        json_schema_extra=hint(label="Decode CFG scale", span=(0, 15, 0.1)),
    )
    decode_steps: int = Field(50, ge=1, le=150, description="of the way back to the noise; best as the steps")
    randomness: Annotated[FiniteFloat, Field(ge=0, le=1)] = Field(
        0.0, description="how much of the noise is that of the seed", json_schema_extra=hint(span=(0, 1, 0.01))
    )
    sigma_adjustment: bool = Field(
        False, description="each step looks from the level it leaves, and the noise keeps the strength that was found"
    )
