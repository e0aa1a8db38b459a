"""The flags that set settings: those that every command takes, and those of the server."""

import argparse
import os
from pathlib import Path
from typing import Any

from webui.domain.model_folders import ModelFolder

EVERYWHERE = "0.0.0.0"
A1111_PRECISIONS = ("full", "half", "autocast")


def path(text: str) -> Path:
    """A path with `~` filled in, which no shell does in a variable."""
    return Path(os.path.expanduser(text))


def model_folder(text: str) -> ModelFolder:
    """`lora=/data/loras`. argparse makes a sentence of the ValueError."""
    return ModelFolder.model_validate(text)


def absent(target: argparse.ArgumentParser) -> str | None:
    """Subcommands leave out what was not given, so that flags before the command's name count too."""
    return argparse.SUPPRESS if target.argument_default == argparse.SUPPRESS else None


def add_common(target: argparse.ArgumentParser) -> None:
    """Flags of every command."""
    add = target.add_argument_group("folders and speed").add_argument
    add("--models-dir", type=path, help="folder with Stable-diffusion/, VAE/, embeddings/ (default: models)")
    _add_further_folders(target)
    add("--outputs-dir", type=path, help="where pictures are saved (default: outputs)")
    add("--data-dir", type=path, help="settings, history, caches (default: data)")
    add("--extensions-dir", type=path, help="extensions, a folder each (default: extensions)")
    add("--device", help="auto, cpu, cuda, cuda:1, mps, xpu; cuda:0,cuda:1 or all for several (default: auto)")
    add(
        "--precision",
        choices=("auto", "fp32", "fp16", "bf16", *A1111_PRECISIONS),
        help="numbers of the networks (default: auto)",
    )
    add("--vae-precision", choices=("auto", "fp32"), help="numbers of the VAE (default: auto)")
    add(
        "--vram",
        choices=("auto", "low", "high"),
        help="low: weights stream to the card; high: they stay (default: auto)",
    )
    add("--reserve-vram", type=float, metavar="GIB", help="of the card, for its driver and others (default: 0.7)")
    add(
        "--network",
        choices=("auto", "eager", "captured"),
        help="how the network is called; auto: captured into graphs on CUDA, after a check (default: auto)",
    )
    add("--fp8-weights", action="store_true", default=absent(target), help="half the room; changes pictures")
    add("--threads", type=int, help="CPU threads; 0: all cores")
    add("--checkpoints-in-memory", type=int, metavar="N", help="how many stay loaded (default: 1)")
    add("--executor", metavar="NAME", help="where jobs run (default: local, a process of its own)")
    add("--tiled-vae", action="store_true", default=absent(target), help="decode in tiles, which needs less memory")
    add("--extension-sources", action="append", metavar="DIR", help="extensions may be installed from here by the page")
    add("--disable-extension", dest="disabled_extensions", action="append", metavar="NAME", help="may be repeated")
    add("--hook-deadline", type=float, metavar="SECONDS", help="of extensions without progress; 0: none (default: 120)")
    add("--image-format", choices=("png", "jpg", "webp"), help="of saved pictures (default: png)")


def _add_further_folders(target: argparse.ArgumentParser) -> None:
    add = target.add_argument_group("further models; only read, each flag may be repeated").add_argument
    add(
        "--further-models-dir",
        dest="further_models_dirs",
        action="append",
        type=path,
        metavar="DIR",
        help="a folder arranged like the models folder",
    )
    add(
        "--model-folder",
        dest="model_folders",
        action="append",
        type=model_folder,
        metavar="KIND=DIR",
        help="a folder for one kind, as in lora=/data/loras",
    )
    add("--use-models-of", action="append", type=path, metavar="DIR", help="of an existing A1111, Forge or ComfyUI")
    add(
        "--extra-model-paths",
        action="append",
        type=path,
        metavar="FILE",
        help="in ComfyUI's form (default: extra_model_paths.yaml beside launch.py, where there is one)",
    )


def add_serving(target: argparse.ArgumentParser) -> None:
    """Flags of the server, the common ones among them."""
    add_common(target)
    add = target.add_argument_group("server").add_argument
    flag: dict[str, Any] = {"action": "store_true", "default": absent(target)}
    add("--host", help="address to listen on (default: 127.0.0.1, this machine only)")
    add("--listen", **flag, help=f"the same as --host {EVERYWHERE}; makes a password where none is set")
    add("--port", type=int, help="default: 7860; 0 takes a free one")
    add("--api", **flag, help="serve the API beside the page")
    add("--nowebui", **flag, help="serve the API alone")
    add("--api-server-stop", **flag, help="clients of the API may end the program")
    add("--api-auth", metavar="USER:PASSWORD[,...]", help="needed for every page and route")
    add("--allowed-host", dest="allowed_hosts", action="append", metavar="NAME", help="a further name of this server")
    add("--cors-origin", dest="cors_origins", action="append", metavar="ORIGIN", help="may call the API from its pages")
    add("--subpath", metavar="PATH", help="page and API below this path, behind a proxy")
    add("--tls-keyfile", type=path, metavar="FILE", help="PEM; together with --tls-certfile: https")
    add("--tls-certfile", type=path, metavar="FILE", help="PEM; together with --tls-keyfile: https")
    add("--timeout-keep-alive", type=int, metavar="SECONDS", help="an idle connection stays open (default: 30)")
    add("--autolaunch", dest="open_browser", **flag, help="show the page in this machine's browser")
    add("--allow-extension-install", **flag, help="the page and the API install extensions for everybody who may call")
    add("--max-queue", type=int, metavar="N", help="jobs that may wait (default: 64)")
    add("--default-checkpoint", metavar="NAME", help="used until another is chosen")
    add("--default-vae", metavar="NAME", help="used until another is chosen")
    add("--preview-every", type=int, metavar="STEPS", help="live previews; 0: none (default: 5)")
