"""The hooks that the program calls first: options, A1111's words, the object that joins a job. Needs no torch."""

from webui.extension_api import Dialect, JobContext, Options, Word, hookimpl

from .options import AlternativeOptions


@hookimpl
def request_options() -> type[Options]:
    """What a request may ask for."""
    return AlternativeOptions


@hookimpl
def dialect() -> Dialect:
    """The keys of infotexts. In A1111 it is a script, `webui/experiments/alternative_test.py`."""
    return Dialect(
        infotext=(
            Word(name="Decode steps", asks=True, option="decode_steps", codec="integer"),
            Word(name="Decode prompt", option="original_prompt"),
            Word(name="Decode negative prompt", option="original_negative_prompt"),
            Word(name="Decode CFG scale", option="decode_cfg_scale", codec="number"),
            Word(name="Randomness", option="randomness", codec="number"),
            Word(name="Sigma Adjustment", option="sigma_adjustment", codec="boolean"),
        )
    )


@hookimpl
def join_job(job: JobContext) -> object | None:
    """Join where it is switched on."""
    options = job.options
    if not isinstance(options, AlternativeOptions) or not options.enabled:
        return None
    from .inverting_job import InvertingJob  # loads torch

    return InvertingJob(job, options)
