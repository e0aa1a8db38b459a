"""What runs on another host: a back in an actor of Ray, which makes what it is sent and tells events as they come.

Imports neither ray nor torch; the back that it builds loads torch.
"""

import os
import queue
import traceback
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from webui.domain.errors import UnknownModelError, WebuiError
from webui.domain.settings import BackSettings
from webui.executors.packed_pictures import packed
from webui.executors.protocol import Event, Failed, Finished, Ready, Work, is_light
from webui.executors.running import Back, Stop, StopKind, perform, ready
from webui.executors.wire import portable, resolve
from webui.library.files import ModelFile
from webui.library.library import ModelLibrary
from webui.weights.families.registry import FAMILIES

# Settings that a host may have of its own: variables of the process that joined it to the cluster.
OF_THE_HOST = ("models_dir", "data_dir", "extensions_dir", "styles_file", "precision", "threads")


class HostActor:
    """Owns a back. Ray calls its methods in several threads; the work itself is done in one."""

    def __init__(self, factory: str, settings: BackSettings, host: str = "") -> None:
        """
        Args:
            factory: "module:function", called with the settings; gives the `Back`.
            settings: of the host that asks; the variables WEBUI_... of this one count over them.
        """
        self._host = host
        self._settings = here(settings, os.environ)
        self._worker = ThreadPoolExecutor(1, "jobs")  # a back is called from one thread
        self._lights = ThreadPoolExecutor(4, "light")
        self._stops: dict[str, Stop] = {}
        self._library: ModelLibrary | None = None
        self._back: Back | None = None
        self._fault: Exception | None = None
        self._worker.submit(self._build, factory).result()

    def ready(self) -> Ready:
        """What is told of the back. Raises the error with which it could not be built."""
        if self._back is None:
            raise self._fault or WebuiError("there is no back")
        return ready(self._back)

    def pid(self) -> int:
        """Process id of the actor, on its host."""
        return os.getpid()

    def run(self, job_id: str, work: Work, checkpoints: Mapping[str, str]) -> Iterator[bytes]:
        """Do a job; its events, packed here and not where it is done, so that it goes on. The last one is its end.

        Args:
            checkpoints: the names that the work uses, each with the sha256 of the file.
        """
        told: queue.SimpleQueue[Event] = queue.SimpleQueue()
        stop = self._stops.setdefault(job_id, Stop())
        lane = self._lights if is_light(work) else self._worker
        lane.submit(self._perform, job_id, work, stop, checkpoints, told)
        try:
            while True:
                event = told.get()
                try:
                    data = packed(event)
                except Exception as error:  # an extension may put anything into a result
                    event = Failed(job_id, portable(error), traceback.format_exc())
                    data = packed(event)
                yield data
                if isinstance(event, Finished | Failed):
                    return
        finally:
            self._stops.pop(job_id, None)

    def stop(self, job_id: str, kind: StopKind) -> None:
        """Heard while a job runs. As calls are carried out side by side, it may come a little before the job."""
        self._stops.setdefault(job_id, Stop()).ask(kind)

    def load(self, checkpoint: str, checkpoints: Mapping[str, str]) -> None:
        """Load a checkpoint. Raises WebuiError."""
        self._worker.submit(self._load, checkpoint, checkpoints).result()

    def _build(self, factory: str) -> None:
        try:
            self._back = resolve(factory)(self._settings)
        except Exception as error:  # told to whoever asks whether it is ready
            self._fault = portable(error)

    def _perform(
        self, job_id: str, work: Work, stop: Stop, checkpoints: Mapping[str, str], told: "queue.SimpleQueue[Event]"
    ) -> None:
        if (missing := self._missing(checkpoints)) is not None or self._back is None:
            told.put(Failed(job_id, missing or self._fault or WebuiError("there is no back")))
            return
        ended = perform(self._back, job_id, work, stop, told.put)
        told.put(replace(ended, error=portable(ended.error)) if isinstance(ended, Failed) else ended)

    def _load(self, checkpoint: str, checkpoints: Mapping[str, str]) -> None:
        if (missing := self._missing(checkpoints)) is not None:
            raise missing
        if self._back is None:
            raise self._fault or WebuiError("there is no back")
        try:
            self._back.load(checkpoint)
        except Exception as error:
            raise portable(error) from None

    def _missing(self, checkpoints: Mapping[str, str]) -> UnknownModelError | None:
        """The error that lists the checkpoints which this host does not have, of the same name and content."""
        if not checkpoints:
            return None
        if self._library is None:
            own = self._settings
            self._library = ModelLibrary(own.models_dir, own.data_dir / "cache", FAMILIES, further=own.model_folders)
        library = self._library
        library.refresh()
        lacking = [problem for name, digest in checkpoints.items() if (problem := _problem(library, name, digest))]
        if not lacking:
            return None
        where = f"host {self._host}" if self._host else "this host"
        return UnknownModelError(
            f"{where} lacks {'; '.join(lacking)}; copy what is missing to {self._settings.models_dir}"
        )


def _problem(library: ModelLibrary, name: str, digest: str) -> str:
    file = named_file(library, name)
    if file is None:
        return f"{name} (sha256 {digest})"
    found = library.sha256(file)
    return "" if found == digest else f"{name} (sha256 {digest}; the file of that name has {found})"


def named_file(library: ModelLibrary, name: str) -> ModelFile | None:
    """The checkpoint or VAE of exactly that name."""
    return next((one for one in (*library.checkpoints(), *library.vaes()) if name in (one.name, one.path.name)), None)


def here(settings: BackSettings, environment: Mapping[str, str]) -> BackSettings:
    """The settings with what the variables of this host say."""
    own = {name: environment[f"WEBUI_{name.upper()}"] for name in OF_THE_HOST if f"WEBUI_{name.upper()}" in environment}
    return BackSettings.model_validate(settings.model_dump() | own) if own else settings
