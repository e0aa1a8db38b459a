"""Keeps a running program in step with its extensions: after every change they are described again, and a new worker is
started.
"""

import logging
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass

from webui.domain.errors import WebuiError
from webui.domain.extensions import ExtensionInfo
from webui.installing.permission import Permission
from webui.installing.service import Installer
from webui.plugins.catalog import Catalog

Infos = tuple[ExtensionInfo, ...]

log = logging.getLogger(__name__)


class LiveExtensions:
    """Keeps catalog, files and worker in step. Thread-safe."""

    def __init__(
        self,
        catalog: Catalog,
        installer: Installer,
        disabled: Collection[str],
        *,
        describe: Callable[[Collection[str]], Infos],
        renew: Callable[[tuple[str, ...], tuple[tuple[str, str], ...]], None],
        forget: Callable[[str], None] = lambda name: None,
    ) -> None:
        """
        Args:
            disabled: names or folders that are switched off.
            forget: lets an extension that was set aside be used again.
            describe: looks at all extensions, given those that are switched off.
            renew: starts a new worker once the job in work has ended, given those that are switched off and the
                folders that cannot be used, each with the reason.
        """
        self._catalog = catalog
        self._installer = installer
        self._disabled = tuple(disabled)
        self._forget = forget
        self._describe = describe
        self._renew = renew
        self._lock = threading.Lock()
        self._opened = threading.Event()
        installer.when_changed(self.refresh)
        catalog.when_noted(self._heard)

    def open(self) -> None:
        """Allow starting new workers from now on."""
        self._opened.set()

    def refresh(self) -> None:
        """Describe the extensions again and start a worker that loads them. It returns when new ones are described."""
        with self._lock:
            self._catalog.replace(self._describe(self._disabled))
            self._renew(self._disabled, self._catalog.broken())

    def switch(self, name: str, *, on: bool) -> None:
        """Use an extension or not, from now on and at later starts. Raises WebuiError as `Catalog.switch`.

        Switching one on that the program has set aside lets it be used again.
        """
        info = self._catalog.get(name)
        self._catalog.switch(name, on=on)
        if info is None or (on == (info.state != "disabled") and info.state != "aside"):
            return
        self._forget(info.folder)
        with self._lock:
            others = tuple(one for one in self._disabled if one not in (info.name, info.folder))
            self._disabled = others if on else (*others, info.name)
        self.refresh()

    def _heard(self, infos: Infos) -> None:
        """Receive what a new worker has loaded. The executor's thread calls this and must not wait."""
        threading.Thread(target=self._settle, args=(infos,), name="settle", daemon=True).start()

    def _settle(self, infos: Infos) -> None:
        self._opened.wait()
        try:
            self._installer.settle(infos)
        except WebuiError as error:
            log.warning("%s", error)


@dataclass(frozen=True, slots=True)
class InstallDoor:
    """What page and API need for installing: the installer, and the rule who may use it."""

    installer: Installer
    live: LiveExtensions
    permission: Permission
