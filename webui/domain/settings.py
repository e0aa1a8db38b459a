"""What decides speed, place and permission, never a pixel. Frozen, merged once, handed out in parts by `app.py`.

Defaults, `settings.json` in the data folder, `WEBUI_*` variables and command-line flags are merged in that order.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from webui.domain.devices import devices_of
from webui.domain.errors import WebuiError
from webui.domain.model_folders import ModelFolder
from webui.domain.saving import PATTERN_LENGTH, ImageFormat, Saving

Precision = Literal["auto", "fp32", "fp16", "bf16"]
PreviewKind = Literal["Approx cheap", "TAESD", "Full"]  # A1111's words
VaePrecision = Literal["auto", "fp32"]
Vram = Literal["auto", "low", "high"]
NetworkWay = Literal["auto", "eager", "captured"]
Theme = Literal["system", "light", "dark"]
_PATH_PART = re.compile(r"[A-Za-z0-9._~-]+")


class BackChoices(BaseModel):
    """The settings that the back has to know, beside the front that reads some of them too."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    models_dir: Path = Field(Path("models"), description="where new model files go; the first that is read")
    model_folders: tuple[ModelFolder, ...] = Field((), description="further folders, by kind; only read")
    data_dir: Path = Path("data")
    styles_file: Path | None = Field(
        None, description="of saved styles; `*` means several; none: styles.csv in the data folder and styles/*.csv"
    )
    extensions_dir: Path = Path("extensions")
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps, xpu; several as cuda:0,cuda:1; all")
    precision: Precision = "auto"
    vae_precision: VaePrecision = Field("auto", description="auto: what the card computes well; fp32 on CPUs")
    vram: Vram = Field(
        "auto", description="auto: networks leave the card for others; low: weights stream; high: they stay"
    )
    reserve_vram: float = Field(
        0.7, ge=0, le=1024, description="GiB of the card for its driver and what else is lost to the networks"
    )
    network: NetworkWay = Field(
        "auto", description="how the network is called; auto: captured into graphs on CUDA; eager: as it comes"
    )
    fp8_weights: bool = Field(False, description="keep weights of networks that denoise in 8 bits; changes pictures")
    threads: int = Field(0, ge=0, le=1024, description="CPU threads of the worker; 0: all cores")
    checkpoints_in_memory: int = Field(1, ge=1, le=100)
    preview_every: int = Field(5, ge=0, le=150, description="steps between live previews; 0: none")
    preview_kind: PreviewKind = Field(
        "Approx cheap", description="what makes live previews: a matrix of colours, a tiny autoencoder, or the VAE"
    )
    tiled_vae: bool = Field(False, description="always decode in tiles")
    disabled_extensions: tuple[str, ...] = ()
    hook_deadline: float = Field(
        120.0, ge=0, le=86400, description="seconds that an extension's code may run without progress; 0: for ever"
    )

    @field_validator("device")
    @classmethod
    def _is_device(cls, value: str) -> str:
        return ",".join(devices_of(value))

    @property
    def styles_path(self) -> Path:
        """What names the files of saved styles (`prompt.styles.style_files`)."""
        return self.styles_file or self.data_dir / "styles.csv"


class BackSettings(BackChoices):
    """What a back is told when it is made. Plain data that crosses a process boundary; nothing here is read later.

    Attributes:
        broken_extensions: folders that are left out, each with the reason: describing them failed.
        whereabouts_file: memory in which a worker marks the extension whose code it is in; "" for none.
    """

    broken_extensions: tuple[tuple[str, str], ...] = ()
    whereabouts_file: str = ""


class Settings(BackChoices):
    """Every setting, with its default."""

    further_models_dirs: tuple[Path, ...] = Field((), description="folders like `models_dir`; only read")
    use_models_of: tuple[Path, ...] = Field((), description="folders of A1111, Forge or ComfyUI; only read")
    extra_model_paths: tuple[Path, ...] = Field((), description="files in the form of ComfyUI's extra_model_paths.yaml")
    outputs_dir: Path = Path("outputs")
    executor: str = Field("local", description="where jobs run; a name in the registry of executors")
    host: str = "127.0.0.1"
    port: int = Field(7860, ge=0, le=65535)
    allowed_hosts: tuple[str, ...] = Field((), description="further names this server may be called by")
    cors_origins: tuple[str, ...] = Field((), description="origins whose pages may call the API, written out in full")
    cors_origin_pattern: str = Field("", max_length=1000, description="the same as a regular expression of a whole one")
    subpath: str = Field("", max_length=200, description="path below which page and API are reached, behind a proxy")
    tls_keyfile: Path | None = Field(None, description="PEM; with `tls_certfile`, the server speaks https")
    tls_certfile: Path | None = None
    timeout_keep_alive: int = Field(30, ge=1, le=3600, description="seconds that a connection without a request stays")
    theme: Theme = Field("dark", description="dark or light, or what the browser prefers")
    language: str = Field("", max_length=40, description="of the page; a dictionary in localizations. Empty: English")
    quicksettings: tuple[str, ...] = Field(
        ("checkpoint", "vae"), max_length=12, description="what stands in the header"
    )
    open_browser: bool = Field(False, description="show the page in the browser of this machine at start")
    api: bool = False
    webui: bool = True
    api_auth: str = Field("", description="user:password[,user:password] for every door")
    default_checkpoint: str = ""
    default_vae: str = ""
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

    @field_validator("subpath", mode="before")
    @classmethod
    def _rooted(cls, value: Any) -> Any:
        """`sd`, `/sd` and `/sd/` mean the same."""
        if not isinstance(value, str):
            return value
        parts = [part for part in value.split("/") if part]
        if any(_PATH_PART.fullmatch(part) is None or set(part) == {"."} for part in parts):
            raise ValueError(f"{value!r} is no path: letters, digits and ._~- between slashes, as in /sd")
        return "".join(f"/{part}" for part in parts)

    @field_validator("cors_origin_pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"not a regular expression ({error})") from None
        return value

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
            variables[field] = text.split(",") if get_origin(known[field].annotation) is tuple else text
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings.model_validate({**file, **variables, **given})
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors())
        raise WebuiError(f"settings (settings.json, WEBUI_* variables or flags): {problems}") from None


def environment() -> Mapping[str, str]:
    """The process's variables; a function so that tests can hand in their own."""
    return os.environ
