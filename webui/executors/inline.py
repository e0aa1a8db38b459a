"""Runs jobs in the caller's thread, for tests and scripts. Stopping works from inside `on_event`."""

from webui.domain.request import GenerationRequest
from webui.executors.protocol import OnEvent, Started
from webui.executors.running import Back, Stop, StopKind, perform


class InlineExecutor:
    """Implements `executors.protocol.Executor`; `submit` returns when the job has ended."""

    def __init__(self, back: Back, on_event: OnEvent) -> None:
        self._back = back
        self._on_event = on_event
        self._stops: dict[str, Stop] = {}
        self._closed = False

    def submit(self, job_id: str, request: GenerationRequest) -> None:
        stop = self._stops[job_id] = Stop()
        self._on_event(Started(job_id))
        ended = perform(self._back, job_id, request, stop, self._on_event)
        del self._stops[job_id]
        self._on_event(ended)

    def cancel(self, job_id: str) -> None:
        self._stop(job_id, "interrupt")

    def skip(self, job_id: str) -> None:
        self._stop(job_id, "skip")

    def load(self, checkpoint: str) -> None:
        self._back.load(checkpoint)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._back.close()

    def _stop(self, job_id: str, kind: StopKind) -> None:
        if (stop := self._stops.get(job_id)) is not None:
            stop.ask(kind)
