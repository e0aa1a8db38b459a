"""The hooks that the program calls first: the options, and the object that joins a job. Needs no torch."""

from webui.extension_api import Dialect, JobContext, Options, Word, hookimpl

from .options import RecorderOptions


@hookimpl
def request_options() -> type[Options]:
    """What a request may ask for."""
    return RecorderOptions


@hookimpl
def dialect() -> Dialect:
    """The keys of infotexts. That a run was recorded leaves its picture as it is, and is not written."""
    return Dialect(
        infotext=(
            Word(name="Block scales", option="blocks", codec="object"),
            Word(name="Muted", option="muted", codec="object"),
        )
    )


@hookimpl
def join_job(job: JobContext) -> object | None:
    """Join where the request asks for a recording, or for something that changes the picture."""
    options = job.options
    if not isinstance(options, RecorderOptions) or not (options.enabled or options.changes_picture):
        return None
    if options.enabled:
        from .recorder import Recorder  # loads torch, as does the other

        return Recorder(job, options)
    from .changes import Changes

    return Changes(job, options)
