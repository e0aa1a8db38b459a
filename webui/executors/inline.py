"""Runs jobs in the caller's thread, for tests and scripts. Stopping works from inside `on_event`."""

import traceback

from webui.domain.errors import WebuiError
from webui.domain.request import GenerationRequest
from webui.domain.result import GeneratedImage, Progress
from webui.executors.protocol import Failed, Finished, ImageMade, OnEvent, Progressed, Started
from webui.worker import Back


class InlineExecutor:
    """Implements `executors.protocol.Executor`; `submit` returns when the job has ended."""

    def __init__(self, back: Back, on_event: OnEvent) -> None:
        self._back = back
        self._on_event = on_event
        self._stops: dict[str, str] = {}

    def submit(self, job_id: str, request: GenerationRequest) -> None:
        self._on_event(Started(job_id))
        try:
            result = self._back.run(request, _Reporter(job_id, self._on_event, self._stops))
        except WebuiError as error:
            self._on_event(Failed(job_id, error))
        except Exception as error:  # as the worker does: the front hears of it
            self._on_event(Failed(job_id, WebuiError(f"{type(error).__name__}: {error}"), traceback.format_exc()))
        else:
            self._on_event(Finished(job_id, result))
        finally:
            self._stops.pop(job_id, None)

    def cancel(self, job_id: str) -> None:
        self._stops[job_id] = "interrupt"

    def skip(self, job_id: str) -> None:
        self._stops[job_id] = "skip"

    def load(self, checkpoint: str) -> None:
        self._back.load(checkpoint)

    def close(self) -> None:
        self._back.close()


class _Reporter:
    def __init__(self, job_id: str, on_event: OnEvent, stops: dict[str, str]) -> None:
        self._job_id = job_id
        self._on_event = on_event
        self._stops = stops

    def progress(self, progress: Progress) -> None:
        self._on_event(Progressed(self._job_id, progress))

    def image(self, image: GeneratedImage) -> None:
        self._on_event(ImageMade(self._job_id, image))

    def stopped(self) -> str:
        how = self._stops.get(self._job_id, "")
        if how == "skip":
            del self._stops[self._job_id]
        return how
