"""What is measured: the picture, and how far each approximation goes."""

from pydantic import ConfigDict, Field

from webui.extension_api import Options, form_hint, hint


class MeasureOptions(Options):
    """One picture, made exactly and with each approximation. A strength of 0 leaves that approximation out."""

    model_config = ConfigDict(json_schema_extra=form_hint(dial="dial"))

    prompt: str = Field("a lighthouse on a cliff, morning light", max_length=10_000)
    checkpoint: str = Field(
        "",
        max_length=1000,
        description="empty: the one that is in use",
        json_schema_extra=hint(model="checkpoint"),
    )
    width: int = Field(512, ge=64, le=2048, multiple_of=8)
    height: int = Field(512, ge=64, le=2048, multiple_of=8)
    steps: int = Field(12, ge=2, le=100)
    rounds: int = Field(2, ge=1, le=10, description="the best time of the rounds counts")
    stops: bool = Field(True, description="the stops of the dial, which combine approximations")
    block_cache: float = Field(0.1, ge=0, le=1, description="change of the first block that spares deep ones")
    text_gate: float = Field(0.5, ge=0, le=1, description="share of steps after which the text is not asked again")
    token_merging: float = Field(0.5, ge=0, le=0.9, description="share of tokens that self-attention merges")
    interval: float = Field(1.0, ge=0, le=100, description="noise level below which the negative prompt is not asked")
    hypertile: bool = Field(True, description="self-attention within tiles")
    eight_bits: bool = Field(True, description="linear layers in 8 bits, in the formats that the machine has")


class NoOptions(Options):
    """Nothing is asked."""
