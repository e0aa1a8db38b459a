"""What is measured: the picture, and how far each approximation goes."""

from pydantic import Field

from webui.extension_api import Options


class MeasureOptions(Options):
    """One picture, made exactly and with each approximation. A strength of 0 leaves that approximation out."""

    prompt: str = Field("a lighthouse on a cliff, morning light", max_length=2000)
    width: int = Field(512, ge=64, le=2048, multiple_of=8)
    height: int = Field(512, ge=64, le=2048, multiple_of=8)
    steps: int = Field(12, ge=2, le=100)
    rounds: int = Field(2, ge=1, le=10, description="the best time of the rounds counts")
    block_cache: float = Field(0.1, ge=0, le=1, description="change of the first block that spares deep ones")
    text_gate: float = Field(0.5, ge=0, le=1, description="share of steps after which the text is not asked again")
    token_merging: float = Field(0.5, ge=0, le=0.9, description="share of tokens that self-attention merges")
