"""Reports the progress of a job (phases, steps, previews), measures its phases, and looks whether the user stopped
it.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor

from webui.domain.errors import Cancelled
from webui.domain.memory_state import MemoryState
from webui.domain.recording import RecordedPart
from webui.domain.result import GeneratedImage, Phase, Progress
from webui.processing.passes import Pass
from webui.processing.plan import Batch
from webui.processing.ports import Reporter
from webui.processing.preview import Previews
from webui.sampling.steps import Step, Watch
from webui.sampling.transfer import Pace


class SharedWish:
    """The reporter of a job whose wish to stop the extensions look at too: a skip that one sees first is not lost."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._seen = ""
        self._last = Progress()
        self._nested_steps = 0  # of runs inside the job, since it last reported a step of its own

    def seen(self) -> bool:
        """Whether the user wants an end, as extensions are told; the pipeline hears of it all the same."""
        return bool(self.wish())

    def wish(self) -> str:
        """As `stopped`, but it stays to be heard."""
        self._seen = self._seen or self._reporter.stopped()
        return self._seen

    def batch_ended(self) -> bool:
        """A batch is finished, with which a skip that only extensions saw is done too. Whether the job is to end."""
        if self._seen == "skip":
            self._seen = ""
        return self._seen == "interrupt"

    def progress(self, progress: Progress) -> None:
        self._last, self._nested_steps = progress, 0
        self._reporter.progress(progress)

    def nested_progress(self, progress: Progress, to_come: int) -> None:
        """The progress of a run inside the job: its steps come after those of the job's batch.

        Args:
            to_come: further runs of as many steps.
        """
        last, before = self._last, self._last.steps + self._nested_steps
        done = before + progress.batch * progress.steps + progress.step
        steps = before + progress.steps * progress.batches * (1 + to_come)
        shown = Progress(progress.phase, done, steps, last.batch, last.batches, progress.preview)
        self._reporter.progress(shown)

    def nested_ended(self, progress: Progress) -> None:
        """A run inside the job is over; `progress` is what it told last."""
        self._nested_steps += progress.steps * progress.batches

    def image(self, image: GeneratedImage) -> None:
        self._reporter.image(image)

    def recorded(self, part: RecordedPart) -> None:
        self._reporter.recorded(part)

    def stopped(self) -> str:
        """See `Reporter`."""
        wish, self._seen = self._seen or self._reporter.stopped(), ""
        return wish

    def finishing(self) -> bool:
        """See `Reporter`."""
        return self._reporter.finishing()


class RunReport:
    """The reporting of one job.

    Attributes:
        stopped: how the user stopped the present batch: "skip" or "interrupt"; "" where it goes on.
        timings: seconds by phase.
        step, steps: of the present batch: done by now, and how many there are.
    """

    def __init__(
        self,
        reporter: Reporter,
        passes: Sequence[Pass],
        batches: Sequence[Batch],
        preview_every: int,
        memory: Callable[[], MemoryState | None] = lambda: None,
        network: Callable[[], str] = lambda: "",
    ) -> None:
        """Args:
        preview_every: steps from one preview to the next; 0 makes none.
        memory: tells what lies on the device.
        network: tells how the network was called last.
        """
        self._memory = memory
        self._network = network
        self.stopped = ""
        self.timings: dict[str, float] = {}
        self._reporter = reporter
        self.step, self.steps = 0, 0
        self._steps = sum(one.steps for one in passes)
        self._batches, self._images = len(batches), sum(len(batch.seeds) for batch in batches)
        self._preview_every = preview_every

    @contextmanager
    def timed(self, phase: Phase, batch: int) -> Iterator[None]:
        """Report a phase and add its seconds to the timings."""
        done = self._steps if phase == "decoding" else 0
        self._reporter.progress(
            Progress(phase, done, self._steps, batch, self._batches, None, self._images, self._memory())
        )
        began = time.monotonic()
        try:
            yield
        finally:
            self.timings[phase] = self.timings.get(phase, 0.0) + time.monotonic() - began

    def look(self) -> None:
        """Raises Cancelled where the user wants the work to stop."""
        self.stopped = self._reporter.stopped()
        if self.stopped:
            raise Cancelled("stopped by the user")

    def steps_watch(self, one: Pass, batch: int, previews_of: Callable[[], Previews]) -> Watch:
        """The `watch` of a pass: it reports each step, some with a preview, and raises Cancelled where the user stops.

        `previews_of` is asked where there are previews at all.
        """
        before, pace = one.steps_before, Pace()
        previews = previews_of() if self._preview_every else None

        def watch(step: Step, denoised: Tensor) -> None:
            done = step.index + 1
            if previews is not None and done % self._preview_every == 0:
                previews.begin(denoised)
            steps = max(self._steps, before + step.total, before + done)
            pace.step(denoised.device)
            picture = previews.take() if previews is not None else None
            self.step, self.steps = before + done, steps
            self._reporter.progress(
                Progress(
                    "sampling",
                    before + done,
                    steps,
                    batch,
                    self._batches,
                    picture,
                    self._images,
                    self._memory(),
                    network=self._network(),
                )
            )
            self.look()

        return watch
