"""The step that A1111's sampler has reported when the network is called. Windows of extensions are measured by it.

A1111 reports once a step, and a call uses the latest report. Most samplers report when the first call of a step is
over, so that step 0 counts twice at the start. Two report later, and so their steps lag behind further.
"""

_CALLS_OF_A_TRIAL = 3  # of DPM adaptive


def reported_step(sampler: str, index: int, call_in_step: int, call: int) -> int:
    """The number of the step, from 0; 0 also before the first report.

    Args:
        sampler: its label.
        index: of the step in which the network is called. UniPC calls it where a step ends, and that call counts for
            the next step.
        call_in_step: how many calls were made in this step before.
        call: how many calls were made in this pass before. DPM adaptive counts trials, rejected ones too.
    """
    if sampler == "UniPC":  # It reports when a step is over, and its call belongs to the step before.
        return max(0, index - 2)
    if sampler == "DPM adaptive":  # It reports when a trial is over.
        return max(0, call // _CALLS_OF_A_TRIAL - 1)
    return index if call_in_step else max(0, index - 1)
