"""The forms of training. They need no torch."""

from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from webui.extension_api import Card, Options, form_hint, hint

Name = Annotated[str, StringConstraints(max_length=200, strip_whitespace=True)]
Method = Literal["lora", "locon", "dora", "textual_inversion", "finetune"]
Optimizer = Literal["adamw", "adamw_8bit", "prodigy", "lion"]
LOW_RANK = ("lora", "locon", "dora")

_METHODS = MappingProxyType(
    {
        "lora": Card(title="LoRA", text="a small file beside the checkpoint; learns a subject or a style"),
        "locon": Card(title="LoCon", text="a LoRA of the convolutions too; learns textures and line better"),
        "dora": Card(title="DoRA", text="a LoRA with a length for each output; close to fine-tuning, slower"),
        "textual_inversion": Card(title="Textual inversion", text="one new word; the networks stay as they are"),
        "finetune": Card(title="Fine-tuning", text="the whole UNet; makes a checkpoint of its own"),
    }
)


class TrainOptions(Options):
    """What is trained, on what, and how long. Where `resume` names a run, all else is what that run began with."""

    model_config = ConfigDict(
        # A default is then the same number as one that was sent, and both make the same bytes in a file.
        validate_default=True, json_schema_extra=form_hint(tab="train", summary="{method} on {data_set}"),
    )  # fmt: skip

    resume: Name = Field("", description="a paused run that goes on", json_schema_extra=hint(control="hidden"))
    method: Method = Field("lora", json_schema_extra=hint(label="What is trained", control="cards", cards=_METHODS))
    base: Name = Field(
        "",
        description="checkpoint that is trained on",
        json_schema_extra=hint(model="checkpoint", control="model", label="Checkpoint"),
    )
    data_set: Name = Field("", description="folder of pictures, by its name", json_schema_extra=hint(label="Data set"))
    output: Name = Field(
        "", description="name of the file that is made, and of the run", json_schema_extra=hint(label="Name")
    )
    rank: int = Field(
        16,
        ge=1,
        le=1024,
        description="size of the LoRA",
        json_schema_extra=hint(when={"method": LOW_RANK}, pair="rank"),
    )
    alpha: float = Field(
        16, gt=0, le=1024, description="the LoRA counts alpha / rank",
        json_schema_extra=hint(when={"method": LOW_RANK}, pair="rank"),
    )  # fmt: skip
    conv_rank: int = Field(
        8, ge=1, le=1024, description="rank in convolutions of 3 x 3",
        json_schema_extra=hint(label="Rank of convolutions", when={"method": ["locon"]}, pair="conv"),
    )  # fmt: skip
    conv_alpha: float = Field(
        8, gt=0, le=1024, json_schema_extra=hint(label="Their alpha", when={"method": ["locon"]}, pair="conv")
    )
    word: Name = Field(
        "", description="the new word in captions; empty: the name",
        json_schema_extra=hint(label="New word", when={"method": ["textual_inversion"]}),
    )  # fmt: skip
    initial_word: Name = Field(
        "", description="a known word that the new one begins as",
        json_schema_extra=hint(label="Begins as", when={"method": ["textual_inversion"]}, pair="word"),
    )  # fmt: skip
    vectors: int = Field(
        4, ge=1, le=32, description="tokens that the word takes",
        json_schema_extra=hint(when={"method": ["textual_inversion"]}, pair="word"),
    )  # fmt: skip
    epochs: int = Field(
        10, ge=1, le=100_000, description="times that all pictures come", json_schema_extra=hint(pair="length")
    )
    steps: int = Field(
        0, ge=0, le=10_000_000, description="steps of the optimizer; 0: as the epochs say",
        json_schema_extra=hint(pair="length"),
    )  # fmt: skip
    batch_size: int = Field(
        1, ge=1, le=256, description="pictures at once", json_schema_extra=hint(pair="batch", span=(1, 16, 1))
    )
    accumulation: int = Field(
        1, ge=1, le=256, description="batches that one step sums up",
        json_schema_extra=hint(label="Batches a step", pair="batch", span=(1, 16, 1)),
    )  # fmt: skip
    resolution: int = Field(512, ge=64, le=2048, multiple_of=8, description="side of a square with as many pixels")
    optimizer: Optimizer = Field(
        "adamw",
        json_schema_extra=hint(
            labels={"adamw": "AdamW", "adamw_8bit": "AdamW 8-bit", "prodigy": "Prodigy", "lion": "Lion"}
        ),
    )
    learning_rate: float | None = Field(
        None, ge=0, le=10, description="empty: as is usual for method and optimizer; Prodigy finds its own and takes 1"
    )
    text_learning_rate: float = Field(
        0, ge=0, le=10, description="of the text encoders; 0 leaves them as they are",
        json_schema_extra=hint(control="number", when={"method": LOW_RANK}),
    )  # fmt: skip
    schedule: Literal["constant", "linear", "cosine"] = Field(
        "cosine", description="how the learning rate falls", json_schema_extra=hint(label="Learning rate falls")
    )
    warmup: int = Field(
        0, ge=0, le=100_000, description="steps in which it rises", json_schema_extra=hint(level="more")
    )
    weight_decay: float = Field(0.01, ge=0, le=1, json_schema_extra=hint(level="more"))
    clip_norm: float = Field(
        1.0, ge=0, le=100, description="gradients that are longer are made as long as this; 0: none are",
        json_schema_extra=hint(label="Longest gradient", level="more"),
    )  # fmt: skip
    min_snr_gamma: float = Field(
        0, ge=0, le=100, description="min-SNR weighting (5 is usual); 0: all timesteps count alike",
        json_schema_extra=hint(label="Min-SNR gamma", level="more", span=(0, 20, 0.5)),
    )  # fmt: skip
    noise_offset: float = Field(
        0, ge=0, le=1, description="lets it learn very dark and very bright pictures",
        json_schema_extra=hint(level="more", span=(0, 0.2, 0.01)),
    )  # fmt: skip
    checkpointing: bool = Field(
        False, description="compute activations twice to need less memory",
        json_schema_extra=hint(label="Gradient checkpointing", level="more"),
    )  # fmt: skip
    buckets: bool = Field(True, description="sort pictures by aspect; else all are cut square")
    bucket_step: int = Field(
        64, ge=8, le=256, multiple_of=8, json_schema_extra=hint(level="more", when={"buckets": [True]})
    )
    min_bucket: int = Field(
        256, ge=64, le=4096, json_schema_extra=hint(label="Smallest side", level="more", when={"buckets": [True]})
    )
    max_bucket: int = Field(
        1024, ge=64, le=4096, json_schema_extra=hint(label="Largest side", level="more", when={"buckets": [True]})
    )
    flip: bool = Field(False, description="mirror half of the pictures")
    shuffle_caption: bool = Field(False, description="tags between commas in a new order each time")
    keep_tokens: int = Field(
        0, ge=0, le=100, description="tags at the start that stay there",
        json_schema_extra=hint(label="Tags that stay first", when={"shuffle_caption": [True]}),
    )  # fmt: skip
    caption_dropout: float = Field(
        0, ge=0, le=1, description="share of captions that are left out", json_schema_extra=hint(level="more", unit="%")
    )
    clip_skip: int = Field(
        1, ge=1, le=12, description="as pictures are made with it later", json_schema_extra=hint(level="more")
    )
    caption_chunks: int = Field(
        1, ge=1, le=3, description="parts of a caption that are read, each as long as the text encoders read at once",
        json_schema_extra=hint(level="more"),
    )  # fmt: skip
    seed: int = Field(0, ge=0, le=2**32 - 1)
    sample_prompts: Annotated[str, StringConstraints(max_length=4000)] = Field(
        "",
        description="pictures to watch it learn, one prompt a line, at most 4",
        json_schema_extra=hint(control="lines"),
    )
    sample_every: int = Field(100, ge=0, le=1_000_000, description="steps between samples; 0: only at the end")
    sample_steps: int = Field(20, ge=1, le=150, json_schema_extra=hint(level="more"))
    sample_scale: float = Field(7.0, ge=1, le=30, json_schema_extra=hint(label="Guidance of samples", level="more"))
    save_every: int = Field(
        100,
        ge=1,
        le=1_000_000,
        description="steps after which a crash loses nothing",
        json_schema_extra=hint(level="more"),
    )
    files_every: int = Field(
        0, ge=0, le=1_000_000, description="steps after which a version of the file is kept; 0: only the last",
        json_schema_extra=hint(level="more"),
    )  # fmt: skip
    file_precision: Literal["fp16", "bf16", "fp32"] = Field(
        "fp16", description="of the numbers in the file", json_schema_extra=hint(level="more")
    )
    share: Literal["wait", "between"] = Field(
        "wait",
        description="what pictures do that are asked for meanwhile",
        json_schema_extra=hint(
            label="Other jobs", labels={"wait": "Wait for the end", "between": "Are made between steps"}
        ),
    )

    @model_validator(mode="after")
    def _fits(self) -> "TrainOptions":
        if self.min_bucket > self.max_bucket:
            raise ValueError("min_bucket is larger than max_bucket; swap the two")
        if len(self.prompts) > MOST_SAMPLES:
            raise ValueError(f"sample_prompts: {len(self.prompts)} lines; at most {MOST_SAMPLES} are drawn")
        return self

    @property
    def prompts(self) -> tuple[str, ...]:
        """The lines of `sample_prompts`."""
        return tuple(line.strip() for line in self.sample_prompts.splitlines() if line.strip())

    @property
    def is_low_rank(self) -> bool:
        """Whether what is trained is a LoRA of some kind."""
        return self.method in LOW_RANK

    @property
    def rate(self) -> float:
        """The learning rate of the network."""
        if self.learning_rate is not None:
            return self.learning_rate
        if self.optimizer == "prodigy":
            return 1.0
        usual = {"textual_inversion": 5e-3, "finetune": 1e-5}.get(self.method, 1e-4)
        return usual / 3 if self.optimizer == "lion" else usual


MOST_SAMPLES = 4


class NoOptions(Options):
    """Nothing is asked."""

    model_config = ConfigDict(extra="ignore")


class RunOptions(Options):
    """A run by its name."""

    run: Name = ""
