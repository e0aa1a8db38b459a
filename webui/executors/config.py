"""What a worker process is told when it is started. Plain data that crosses a process boundary."""

from dataclasses import dataclass
from pathlib import Path

from webui.domain.settings import Precision


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """The settings that concern the back; their meanings stand in `webui.domain.settings`.

    Attributes:
        broken_extensions: folders that are left out, with the reason: describing them failed.
        factory: "module:function", called in the worker with this configuration; gives its `Back`. A name, because
            the front must not import what loads torch.
    """

    models_dir: Path = Path("models")
    data_dir: Path = Path("data")
    extensions_dir: Path = Path("extensions")
    device: str = "auto"
    precision: Precision = "auto"
    threads: int = 0
    checkpoints_in_memory: int = 1
    preview_every: int = 5
    tiled_vae: bool = False
    disabled_extensions: tuple[str, ...] = ()
    broken_extensions: tuple[tuple[str, str], ...] = ()
    factory: str = "webui.processing.back:build"
