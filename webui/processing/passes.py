"""The passes of a job, the first and the second of hires fix, as values of one type. `batches.py` runs them."""

from dataclasses import dataclass

from webui.domain.hires import Hires
from webui.processing.hires import first_picture, hires_of, second_plan
from webui.processing.plan import Plan
from webui.processing.stages import StageFiles


@dataclass(frozen=True, slots=True)
class Pass:
    """One run of the sampler over each batch of a job.

    Attributes:
        plan: its request, schedule, prompt and network tags.
        base: the checkpoint with which it begins.
        refiner: the checkpoint that takes over during the pass; None where none does.
        merging_ratio: share of the network's tokens that are merged (0 merges none).
        steps_before: sampling steps of the passes before it.
        hires: the options of hires fix where this is the second pass, which starts from the result of the first; None
            in the first pass.
    """

    plan: Plan
    base: StageFiles
    refiner: StageFiles | None
    merging_ratio: float
    steps_before: int = 0
    hires: Hires | None = None

    @property
    def steps(self) -> int:
        """Sampling steps of one batch."""
        return self.plan.walk.run


def passes_of(
    plan: Plan, first: StageFiles, second: StageFiles, refiner: StageFiles | None, cell: int
) -> tuple[Pass, ...]:
    """The passes that a plan asks for, in order.

    Args:
        plan: of the first pass.
        first, second: the checkpoints with which the two passes begin.
        cell: pixels along one side of a latent cell of the second checkpoint.
        refiner: that of the job. A pass goes without it where the request says so, or where it is the pass's
            checkpoint.
    """
    request, hires = plan.request, hires_of(plan.request)
    if hires is None:
        return (Pass(plan, first, _other(refiner, first), request.merging_ratio),)
    refines_first, refines_second = hires.refiner_pass != "second pass", hires.refiner_pass != "first pass"
    one = Pass(plan, first, _other(refiner, first) if refines_first else None, request.merging_ratio)
    before = () if first_picture(request) else (one,)
    two = Pass(
        second_plan(plan, hires, cell),
        second,
        _other(refiner, second) if refines_second else None,
        request.hires_merging_ratio,
        steps_before=sum(one.steps for one in before),
        hires=hires,
    )
    return (*before, two)


def _other(refiner: StageFiles | None, base: StageFiles) -> StageFiles | None:
    return None if refiner is None or refiner.checkpoint == base.checkpoint else refiner
