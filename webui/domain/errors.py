"""Errors that a user can understand and act on. Everything else is a bug and stays a traceback."""


class WebuiError(Exception):
    """An expected failure: its text names the field, file, tensor or extension, and what to do."""


class BadRequestError(WebuiError):
    """The request cannot be carried out as written. `field` is its dotted path (`noise.eta`)."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message

    def __reduce__(self) -> tuple[type["BadRequestError"], tuple[str, str]]:
        return (type(self), (self.field, self.message))  # so that it crosses a process boundary whole


class UnknownModelError(WebuiError):
    """No model of that name in the folder; the text lists what is there."""


class UnusableFileError(WebuiError):
    """A file in a model folder cannot be used: truncated, corrupt, of another kind."""


class NotFiniteError(WebuiError):
    """NaN or infinity in weights, latents or pixels; names the model and the step."""


class MemoryShortError(WebuiError):
    """Memory ran out although everything was done to need less; the text says at what, and what to lower."""


class WorkerDiedError(WebuiError):
    """The worker process ended while a job ran (killed, out of memory, crashed).

    `culprit` is the name of the extension in whose code it ended or hung; "" where it was in none.
    """

    def __init__(self, message: str = "", culprit: str = "") -> None:
        super().__init__(message)
        self.culprit = culprit

    def __reduce__(self) -> tuple[type["WorkerDiedError"], tuple[str, str]]:
        return (type(self), (str(self), self.culprit))


class BackUnavailableError(WebuiError):
    """Nobody can do jobs now: the worker cannot be built, or ends each time before it is ready. No job is to blame."""


class BusyError(WebuiError):
    """The queue is full; try again later."""


class WrongStateError(WebuiError):
    """What was asked does not fit how things stand: a job that runs cannot be changed, a name not be given twice."""


class Cancelled(WebuiError):
    """The user stopped the job."""
