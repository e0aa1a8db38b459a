"""Jobs on the graphics cards of several hosts, by Ray: it places an actor for each card, notices its death, starts it
anew and carries what is said. The queue, and which batch is made where, are those of the pool.
"""

import importlib
import logging
import os
import threading
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from webui.domain.devices import devices_of
from webui.domain.errors import BackUnavailableError, WebuiError, WorkerDiedError
from webui.domain.request import GenerationRequest, Txt2Img
from webui.domain.settings import BackSettings
from webui.executors.host_actor import HostActor, named_file
from webui.executors.lanes import LanePlan
from webui.executors.packed_pictures import unpacked
from webui.executors.pool import PoolExecutor
from webui.executors.protocol import Continuation, Failed, OnEvent, Shard, Started, Work
from webui.executors.running import FACTORY, StopKind
from webui.library.library import ModelLibrary
from webui.weights.families.registry import FAMILIES

AT_ONCE = 8  # methods of an actor that run side by side: a job, its stops, light actions

log = logging.getLogger(__name__)


class RayHostsExecutor(PoolExecutor):
    """Implements `Executor` on a cluster: that of the variable RAY_ADDRESS, else one of this machine alone."""

    def __init__(self, settings: BackSettings, on_event: OnEvent, *, ray: Any = None, factory: str = FACTORY) -> None:
        """
        Args:
            ray: the module; None: it is imported.

        Raises:
            WebuiError: ray is not installed, or the cluster cannot be reached, or has no card.
        """
        self._ray = joined(ray or _imported())
        super().__init__(settings, on_event, partial(cards_of, self._ray, factory))

    def close(self) -> None:
        super().close()
        self._ray.shutdown()


def joined(ray: Any, **more: Any) -> Any:
    """The module after this process has joined the cluster; `more` is told to a cluster of this machine alone."""
    if not ray.is_initialized():
        own = {} if os.environ.get("RAY_ADDRESS") else {"include_dashboard": False, **more}
        try:
            ray.init(namespace="webui", log_to_driver=False, logging_level=logging.WARNING, **own)
        except Exception as error:  # of ray, of which each version has others
            raise WebuiError(f"executor ray: the cluster cannot be reached: {error}") from error
    return ray


def _imported() -> Any:
    os.environ.setdefault("RAY_AUTH_MODE", "token")  # or whoever reaches the port of a cluster runs code in it
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        told = "executor ray: the package ray is needed; install it with: pip install -r requirements-ray.txt"
        raise WebuiError(f"{told} ({error})") from error


def cards_of(ray: Any, factory: str, settings: BackSettings) -> tuple[LanePlan, ...]:
    """A lane for each card of the cluster, or for each device that the setting `device` names.

    Raises:
        BackUnavailableError: there is no card, or a device is named by a number, which says nothing on several hosts.
    """
    names = devices_of(settings.device)
    if names in (("all",), ("auto",)):
        cards = int(ray.cluster_resources().get("GPU", 0))
        if not cards:
            raise BackUnavailableError(
                "executor ray: the cluster has no graphics card; write cpu,cpu to use processors"
            )
        names = ("cuda",) * cards
    if any(name not in ("cpu", "cuda") for name in names):
        raise BackUnavailableError(f"device {settings.device}: over several hosts write all, or cuda,cuda or cpu,cpu")
    plans = []
    for number, device in enumerate(names, start=1):
        name = f"{device} ({number})"
        own = settings.model_copy(update={"device": device, "whereabouts_file": ""})
        plans.append(LanePlan(name, name, own, partial(HostLane, ray, factory, name)))
    return tuple(plans)


class HostLane:
    """Implements `Executor` with one actor, for a pool, which gives it one job at a time."""

    def __init__(self, ray: Any, factory: str, name: str, settings: BackSettings, on_event: OnEvent) -> None:
        self._ray = ray
        self._factory = factory
        self._name = name
        self._on_event = on_event
        self._running: tuple[str, ...] = ()  # what was submitted and has not ended
        self._changed = threading.Lock()  # held while that changes
        self._closed = False
        self._start(settings)

    @property
    def capacity(self) -> int:
        return 1

    def running(self) -> tuple[str, ...]:
        return self._running

    def pid(self) -> int:
        """Process id of the actor, on its host."""
        return int(self._ray.get(self._actor.pid.remote()))

    def submit(self, job_id: str, work: Work) -> None:
        if self._closed:
            raise WebuiError("the program is stopping")
        with self._changed:
            self._running = (*self._running, job_id)
        self._beside(self._follow, job_id, work)

    def cancel(self, job_id: str) -> None:
        self._stop(job_id, "interrupt")

    def skip(self, job_id: str) -> None:
        self._stop(job_id, "skip")

    def finish(self, job_id: str) -> None:
        self._stop(job_id, "finish")

    def load(self, checkpoint: str) -> None:
        known = self._digests((checkpoint,))
        try:
            self._ray.get(self._actor.load.remote(checkpoint, known))
        except Exception as error:
            raise self._own(error) from None

    def renew(self, settings: BackSettings) -> None:
        old = self._actor
        self._start(settings)
        self._ray.kill(old)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._ray.kill(self._actor)

    def _start(self, settings: BackSettings) -> None:
        self._settings = settings
        on_card = settings.device != "cpu"
        self._actor = (
            self._ray.remote(HostActor)
            .options(
                num_cpus=0 if on_card else 1,
                num_gpus=1 if on_card else 0,
                max_restarts=-1,  # what it had in work is not done again by Ray, but by the pool
                max_task_retries=0,
                max_concurrency=AT_ONCE,
            )
            .remote(self._factory, settings, self._name)
        )
        self._beside(self._await_back, self._actor)

    def _await_back(self, actor: Any) -> None:
        """Tell of the back as soon as it is there."""
        try:
            event = self._ray.get(actor.ready.remote())
        except Exception as error:
            log.warning("%s: %s", self._name, error)
            return
        if actor is self._actor and not self._closed:
            self._on_event(event)

    def _follow(self, job_id: str, work: Work) -> None:
        """Have a job done and tell what becomes of it; in a thread of its own."""
        try:
            self._tell_all(job_id, work, self._actor)
        finally:
            with self._changed:
                self._running = tuple(one for one in self._running if one != job_id)

    def _tell_all(self, job_id: str, work: Work, actor: Any) -> None:
        try:
            known = self._digests(_names(work))
            self._ray.get(actor.ready.remote())  # or it would fail as a job, not as a host that has no back
        except Exception as error:
            unavailable = (
                WorkerDiedError if isinstance(error, self._ray.exceptions.RayActorError) else BackUnavailableError
            )
            self._on_event(Failed(job_id, unavailable(str(self._own(error)))))
            return
        self._on_event(Started(job_id))
        try:
            for told in actor.run.options(num_returns="streaming").remote(job_id, work, known):
                self._on_event(unpacked(self._ray.get(told)))
        except Exception as error:
            if self._closed:
                return
            self._on_event(Failed(job_id, self._own(error)))
            if isinstance(error, self._ray.exceptions.RayActorError):
                self._beside(self._await_back, actor)

    def _stop(self, job_id: str, kind: StopKind) -> None:
        if not self._closed and job_id in self._running:
            self._actor.stop.remote(job_id, kind)

    def _own(self, error: Exception) -> Exception:
        """The error in words of ours. What an actor raises comes inside of one of Ray's."""
        if isinstance(error, self._ray.exceptions.RayActorError):
            return WorkerDiedError(f"the process on another host ended: {str(error).splitlines()[0]}")
        cause = getattr(error, "cause", None)
        return (
            cause
            if isinstance(cause, WebuiError)
            else error
            if isinstance(error, WebuiError)
            else WebuiError(str(error))
        )

    def _digests(self, names: Iterable[str]) -> Mapping[str, str]:
        """The sha256 of each checkpoint or VAE of these names, so that no host takes another file of the same name."""
        wanted = [name for name in names if name]
        if not wanted:
            return {}
        own = self._settings
        library = ModelLibrary(own.models_dir, own.data_dir / "cache", FAMILIES, further=own.model_folders)
        files = {name: named_file(library, name) for name in wanted}
        return {name: library.sha256(file) for name, file in files.items() if file is not None}

    def _beside(self, do: Any, *given: object) -> None:
        threading.Thread(target=do, args=given, name=f"ray {self._name}", daemon=True).start()


def _names(work: Work) -> tuple[str, ...]:
    """The checkpoints and VAEs that a work names."""
    request = work.request if isinstance(work, Continuation | Shard) else work
    if not isinstance(request, GenerationRequest) or request.task.kind == "upscale":
        return ()
    refiner = request.refiner.checkpoint if request.refiner is not None else ""
    second = request.task.hires.checkpoint if isinstance(request.task, Txt2Img) else ""
    return (request.checkpoint, request.vae, refiner, second)
