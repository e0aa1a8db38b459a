"""What decides speed, place and permission, never a pixel. Frozen, merged once, handed out in parts by `app.py`.

Defaults, `settings.json` in the data folder, `WEBUI_*` variables and command-line flags are merged in that order.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from webui.domain.errors import WebuiError
from webui.domain.saving import PATTERN_LENGTH, ImageFormat, Saving

Precision = Literal["auto", "fp32", "fp16", "bf16"]


class BackChoices(BaseModel):
    """The settings that the back has to know, beside the front that reads some of them too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models_dir: Path = Path("models")
    data_dir: Path = Path("data")
    extensions_dir: Path = Path("extensions")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps")
    precision: Precision = "auto"
    threads: int = Field(0, ge=0, le=1024, description="CPU threads of the worker; 0: all cores")
    checkpoints_in_memory: int = Field(1, ge=1, le=100)
    preview_every: int = Field(5, ge=0, le=150, description="steps between live previews; 0: none")
    tiled_vae: bool = Field(False, description="always decode in tiles")
    disabled_extensions: tuple[str, ...] = ()


class BackSettings(BackChoices):
    """What a back is told when it is made. Plain data that crosses a process boundary; nothing here is read later.

    Attributes:
        broken_extensions: folders that are left out, each with the reason: describing them failed.
    """

    broken_extensions: tuple[tuple[str, str], ...] = ()


class Settings(BackChoices):
    """Every setting, with its default."""

    outputs_dir: Path = Path("outputs")
    executor: str = Field("local", description="where jobs run; a name in the registry of executors")
    host: str = "127.0.0.1"
    port: int = Field(7860, ge=0, le=65535)
    allowed_hosts: tuple[str, ...] = Field((), description="further names this server may be called by")
    cors_origins: tuple[str, ...] = Field((), description="origins whose pages may call the API, written out in full")
    api: bool = False
    webui: bool = True
    api_auth: str = Field("", description="user:password[,user:password] for every door")
    default_checkpoint: str = ""
    image_format: ImageFormat = "png"
    jpeg_quality: int = Field(80, ge=1, le=100)
    webp_lossless: bool = False
    filename_pattern: str = Field("[number]-[seed]", max_length=PATTERN_LENGTH)
    folder_pattern: str = Field("[date]", max_length=PATTERN_LENGTH)
    api_server_stop: bool = Field(False, description="clients of the API may end the program")
    webhook_hosts: tuple[str, ...] = Field((), description="hosts that may be told of the end of jobs")
    webhook_secret: str = Field("", description="key of the signatures of what is told")
    webhook_private: bool = Field(False, description="also hosts of this machine and its network")
    save_images: bool = True
    save_api_images: bool = Field(False, description="API results are saved even where the request does not ask")
    embed_parameters: bool = True
    sidecar_text: bool = False
    max_queue: int = Field(64, ge=1, le=10_000)
    extension_sources: tuple[str, ...] = Field((), description="folders from which page and API may install")
    allow_extension_install: bool = Field(False, description="also for callers on other machines")

    @property
    def saving(self) -> Saving:
        """How files are written where nothing else is asked for."""
        return Saving(
            image_format=self.image_format,
            jpeg_quality=self.jpeg_quality,
            webp_lossless=self.webp_lossless,
            filename_pattern=self.filename_pattern,
            folder_pattern=self.folder_pattern,
            embed_parameters=self.embed_parameters,
            sidecar_text=self.sidecar_text,
        )

    def for_back(self, *, disabled: tuple[str, ...], broken: tuple[tuple[str, str], ...]) -> BackSettings:
        """The part that the back is told, with the extensions that it leaves out: switched off, or unusable."""
        chosen = {name: getattr(self, name) for name in BackChoices.model_fields}
        return BackSettings.model_validate(chosen | {"disabled_extensions": disabled, "broken_extensions": broken})


def merge(file: Mapping[str, Any], environment: Mapping[str, str], flags: Mapping[str, Any]) -> Settings:
    """Merge the three layers over the defaults and validate once.

    Args:
        file: what `settings.json` holds; empty where there is none.
        environment: usually `os.environ`; `WEBUI_PORT=8000` sets `port`. Tuples are separated by commas.
        flags: what was given on the command line; None means not given.

    Raises:
        WebuiError: naming the setting and where it came from.
    """
    known = Settings.model_fields
    variables: dict[str, Any] = {}
    for name, text in environment.items():
        field = name.removeprefix("WEBUI_").lower()
        if name.startswith("WEBUI_") and field in known:
            variables[field] = text.split(",") if known[field].annotation == tuple[str, ...] else text
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings.model_validate({**file, **variables, **given})
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors())
        raise WebuiError(f"settings (settings.json, WEBUI_* variables or flags): {problems}") from None


def environment() -> Mapping[str, str]:
    """The process's variables; a function so that tests can hand in their own."""
    return os.environ
