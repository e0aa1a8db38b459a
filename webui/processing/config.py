"""What the back is told when it is built. Plain data of the worker's configuration; nothing here is read later."""

from pathlib import Path
from typing import Protocol

from webui.domain.settings import Precision


class BackConfig(Protocol):
    """The part of the worker's configuration that makes a back."""

    @property
    def models_dir(self) -> Path: ...
    @property
    def data_dir(self) -> Path: ...
    @property
    def device(self) -> str: ...
    @property
    def precision(self) -> Precision: ...
    @property
    def threads(self) -> int: ...
    @property
    def checkpoints_in_memory(self) -> int: ...
    @property
    def preview_every(self) -> int: ...
    @property
    def tiled_vae(self) -> bool: ...
