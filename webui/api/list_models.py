"""The lists of A1111's routes as models; the other answers stand in `answer_models.py`."""

from typing import Any

from pydantic import BaseModel


class Sampler(BaseModel):
    """A sampler."""

    name: str
    aliases: list[str]
    options: dict[str, str]


class Scheduler(BaseModel):
    """A noise schedule."""

    name: str
    label: str
    aliases: list[str] | None
    default_rho: float
    need_inner_model: bool


class Upscaler(BaseModel):
    """An upscaler."""

    name: str
    model_name: str | None
    model_path: str | None
    model_url: str | None
    scale: float | None


class NamedOnly(BaseModel):
    """A name."""

    name: str


class SdModel(BaseModel):
    """A checkpoint."""

    title: str
    model_name: str
    hash: str | None
    sha256: str | None
    filename: str
    config: str | None


class Vae(BaseModel):
    """A VAE."""

    model_name: str
    filename: str


class NamedFile(BaseModel):
    """A file."""

    name: str
    path: str


class RealesrganModel(NamedFile):
    """An upscaler of that family."""

    scale: float


class Lora(NamedFile):
    """A network."""

    alias: str
    metadata: dict[str, Any]


class PromptStyle(BaseModel):
    """A saved style."""

    name: str
    prompt: str | None
    negative_prompt: str | None


class Embedding(BaseModel):
    """A textual inversion; null where the file does not tell."""

    step: int | None
    sd_checkpoint: str | None
    sd_checkpoint_name: str | None
    shape: int
    vectors: int


class Embeddings(BaseModel):
    """Those that fit the checkpoint, and the others."""

    loaded: dict[str, Embedding]
    skipped: dict[str, Embedding]


class MemoryAnswer(BaseModel):
    """Memory in bytes."""

    ram: dict[str, Any]
    cuda: dict[str, Any]


class Scripts(BaseModel):
    """Names of scripts, in lower case."""

    txt2img: list[str]
    img2img: list[str]


class ScriptArgument(BaseModel):
    """An argument of a script."""

    label: str | None
    value: Any = None
    minimum: Any = None
    maximum: Any = None
    step: Any = None
    choices: list[Any] | None = None


class ScriptInfo(BaseModel):
    """A script."""

    name: str
    is_alwayson: bool
    is_img2img: bool
    args: list[ScriptArgument]


class ListedExtension(BaseModel):
    """An extension as A1111 lists it."""

    name: str
    remote: str
    branch: str
    commit_hash: str
    version: str
    commit_date: str
    enabled: bool
