"""The flags of A1111 1.10.1, Forge and ComfyUI that do something here: each with the settings that it stands for."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from webui.commands.foreign.known_flag import KnownFlag, Meaning, Takes
from webui.domain.errors import WebuiError
from webui.domain.model_folders import ModelFolder, at_home

CPU_MODULES = ("all", "sd", "interrogate", "gfpgan", "bsrgan", "esrgan", "realesrgan", "scunet", "swinir", "codeformer")
THEMES = ("light", "dark")


def _own(name: str, says: str, takes: Takes = "a value") -> KnownFlag:
    return KnownFlag(name, says, takes, is_own=True)


def _fixed(name: str, says: str, **settings: Any) -> KnownFlag:
    return KnownFlag(name, says, means=lambda values: Meaning(settings))


def _given(name: str, says: str, means: Callable[[tuple[str, ...]], Meaning]) -> KnownFlag:
    return KnownFlag(name, says, "a value", means)


def _folder(name: str, *kinds: str) -> KnownFlag:
    says = f"read beside the models folder, as `--model-folder {kinds[0]}=...`"
    return _given(name, says, partial(_folders_of, kinds))


def _folders_of(kinds: tuple[str, ...], values: tuple[str, ...]) -> Meaning:
    folders = tuple(ModelFolder(kind=kind, path=Path(value)) for value in values for kind in kinds)
    return Meaning({"model_folders": folders})


def _chosen_file(kind: str, setting: str, values: tuple[str, ...]) -> Meaning:
    """A single file that is read and used until another is chosen."""
    folders = _folders_of((kind,), values).settings
    return Meaning({**folders, setting: Path(values[-1]).name})


def _users(values: tuple[str, ...]) -> Meaning:
    return Meaning({"api_auth": ",".join(values)})


def _users_in_file(values: tuple[str, ...]) -> Meaning:
    """Raises WebuiError where the file cannot be read: without it the server would be open."""
    pairs: list[str] = []
    for value in values:
        try:
            text = at_home(Path(value)).read_text("utf-8")
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or "not a text"
            raise WebuiError(f"--gradio-auth-path {value}: cannot be read ({reason})") from None
        pairs += [pair.strip() for line in text.splitlines() for pair in line.split(",") if pair.strip()]
    return Meaning({"api_auth": ",".join(pairs)})


def _origins(values: tuple[str, ...]) -> Meaning:
    named = tuple(origin.strip().rstrip("/") for value in values for origin in value.split(",") if origin.strip())
    exact = tuple(origin for origin in named if "*" not in origin)
    remark = "" if exact == named else "an origin with `*` opens nothing; write it out, or use the flag's -regex form"
    return Meaning({"cors_origins": exact} if exact else {}, remark)


def _theme(values: tuple[str, ...]) -> Meaning:
    if values[-1] in THEMES:
        return Meaning({"theme": values[-1]})
    return Meaning(remark=f"there are the themes {' and '.join(THEMES)}, not {values[-1]!r}")


def _styles(values: tuple[str, ...]) -> Meaning:
    remark = "" if len(values) == 1 else "the first is read; `*` in it means several files"
    return Meaning({"styles_file": at_home(Path(values[0]))}, remark)


def _on_cpu(values: tuple[str, ...]) -> Meaning:
    if {"all", "sd"} & {value.lower() for value in values}:
        return Meaning({"device": "cpu"})
    return Meaning(remark="the whole program is on one device: `all` or `sd` puts it on the CPU")


def _on_card(values: tuple[str, ...]) -> Meaning:
    if values[-1].isascii() and values[-1].isdigit():
        return Meaning({"device": f"cuda:{int(values[-1])}"})
    return Meaning(remark=f"expected the number of a card, not {values[-1]!r}")


def _paths(setting: str, values: tuple[str, ...]) -> Meaning:
    return Meaning({setting: tuple(Path(value) for value in values)})


_SERVER = (
    _own("--listen", "listens on every address; makes a password where none is set", "nothing"),
    _own("--port", "the port"),
    _given("--server-name", "as `--host`", lambda values: Meaning({"host": values[-1]})),
    _own("--api", "serves the API beside the page", "nothing"),
    _own("--api-server-stop", "clients of the API may end the program", "nothing"),
    _own("--nowebui", "serves the API alone, on port 7860 too", "nothing"),
    _own("--api-auth", "users and passwords, for page and API alike"),
    _given("--gradio-auth", "as `--api-auth`: the users of both are known to every door", _users),
    _given("--gradio-auth-path", "the same from a file; one that cannot be read stops the start", _users_in_file),
    _own("--subpath", "page and API below this path, behind a proxy"),
    _own("--tls-keyfile", "https, together with `--tls-certfile`"),
    _own("--tls-certfile", "https, together with `--tls-keyfile`"),
    _own("--timeout-keep-alive", "seconds that an idle connection stays open"),
    _given("--cors-allow-origins", "as `--cors-origin` for each; `*` opens nothing", _origins),
    _given(
        "--cors-allow-origins-regex",
        "origins that this expression describes as a whole",
        lambda values: Meaning({"cors_origin_pattern": values[-1]}),
    ),
    _own("--autolaunch", "shows the page in this machine's browser", "nothing"),
    _given("--theme", "`light` or `dark`", _theme),
    _fixed(
        "--enable-insecure-extension-access",
        "as `--allow-extension-install`: everybody who may call installs extensions",
        allow_extension_install=True,
    ),
    KnownFlag(
        "--disable-all-extensions",
        "none runs, bundled ones included (among them LoRA and ControlNet)",
        means=lambda values: Meaning(spared="none"),
    ),
    KnownFlag(
        "--disable-extra-extensions",
        "those that were installed do not run; the bundled ones do",
        means=lambda values: Meaning(spared="bundled"),
    ),
)
_FILES = (
    _own("--data-dir", "settings, history, caches, styles.csv; models of an A1111 that lies there are read too"),
    _own("--models-dir", "the models folder"),
    _given(
        "--styles-file",
        "the file of saved styles, or several by `*` in its name, instead of styles.csv in the data folder",
        _styles,
    ),
    _given(
        "--ckpt",
        "this file is listed, and used until another checkpoint is chosen",
        partial(_chosen_file, "checkpoint", "default_checkpoint"),
    ),
    _given(
        "--vae-path",
        "this file is listed, and used until another VAE is chosen",
        partial(_chosen_file, "vae", "default_vae"),
    ),
    _folder("--ckpt-dir", "checkpoint"),
    _folder("--vae-dir", "vae"),
    _folder("--lora-dir", "lora"),
    _folder("--lyco-dir", "lora"),
    _folder("--lyco-dir-backcompat", "lora"),
    _folder("--embeddings-dir", "embedding"),
    _folder("--hypernetwork-dir", "hypernetwork"),
    _folder("--controlnet-dir", "controlnet"),
    _folder("--controlnet-annotator-models-path", "preprocessor"),
    _folder("--controlnet-preprocessor-models-dir", "preprocessor"),
    *(
        _folder(f"--{name}-models-path", "upscaler")
        for name in ("esrgan", "bsrgan", "realesrgan", "swinir", "scunet", "dat", "hat")
    ),
    _folder("--gfpgan-models-path", "gfpgan", "detector"),
    _folder("--gfpgan-dir", "gfpgan", "detector"),
    _folder("--gfpgan-model", "gfpgan"),
    _folder("--codeformer-models-path", "codeformer"),
    *(
        _given(name, "as `--use-models-of`", partial(_paths, "use_models_of"))
        for name in ("--forge-ref-a1111-home", "--a1111-home", "--comfyui-home")
    ),
    _given("--extra-model-paths-config", "as `--extra-model-paths`", partial(_paths, "extra_model_paths")),
)
_NUMBERS = (
    _own("--precision", "`full` is fp32; `half` and `autocast` are automatic: fp16 on GPUs"),
    _fixed("--no-half", "`--precision fp32`", precision="fp32"),
    _fixed("--all-in-fp32", "`--precision fp32`", precision="fp32"),
    _fixed("--unet-in-bf16", "`--precision bf16`", precision="bf16"),
    _fixed("--no-half-vae", "`--vae-precision fp32`", vae_precision="fp32"),
    _fixed("--vae-in-fp32", "`--vae-precision fp32`", vae_precision="fp32"),
    KnownFlag("--use-cpu", "`all` or `sd`: `--device cpu`", "values", _on_cpu, among=CPU_MODULES),
    _fixed("--always-cpu", "`--device cpu`", device="cpu"),
    _given("--device-id", "`--device cuda:N`", _on_card),
    _given("--gpu-device-id", "`--device cuda:N`", _on_card),
)
_MEMORY = (
    *(
        _fixed(name, "`--vram auto`: networks that are not needed leave the card", vram="auto")
        for name in ("--medvram", "--medvram-sdxl", "--always-normal-vram")
    ),
    *(
        _fixed(name, "`--vram low`: weights come to the card layer by layer", vram="low")
        for name in ("--lowvram", "--always-low-vram", "--always-no-vram", "--always-offload-from-vram")
    ),
    *(
        _fixed(name, "`--vram high`: networks stay on the card while there is room", vram="high")
        for name in ("--always-gpu", "--always-high-vram")
    ),
    *(
        _fixed(name, "`--fp8-weights`, in e4m3", fp8_weights=True)
        for name in ("--unet-in-fp8-e4m3fn", "--unet-in-fp8-e5m2")
    ),
)
_LAUNCHER = (
    KnownFlag("--skip-install", "launch.py installs nothing", means=lambda values: Meaning()),
    _given("--torch-index", "where launch.py looks for torch", lambda values: Meaning()),
    KnownFlag(
        "--reinstall-torch",
        "launch.py installs torch again, for the card that is there",
        means=lambda values: Meaning(),
    ),
)
HONOURED = (*_SERVER, *_FILES, *_NUMBERS, *_MEMORY, *_LAUNCHER)
