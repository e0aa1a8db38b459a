"""As much of the module ray as the program uses, with actors that are objects of this process and calls in threads.

What a call gives crosses by pickle, as it does in a cluster. An actor that is killed answers with RayActorError, and an
object made anew takes its place where it may be started again.
"""

import pickle
import queue
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any


class RayActorError(Exception):
    """The actor has ended."""


class RayTaskError(Exception):
    """A method has raised."""

    def __init__(self, cause: Exception) -> None:
        self.cause = cause
        super().__init__(str(cause))


class Ref:
    """What a call will give."""

    def __init__(self) -> None:
        self.answers: queue.SimpleQueue[tuple[bytes, Exception | None]] = queue.SimpleQueue()

    def give(self, value: object) -> None:
        self.answers.put((pickle.dumps(value), None))

    def fail(self, error: Exception) -> None:
        self.answers.put((b"", error))


class Life:
    """One object of an actor, and the calls that wait for it."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.over = threading.Event()
        self.refs: set[Ref] = set()
        self._made: Any = None
        self._lock = threading.Lock()
        self._make = make

    @property
    def made(self) -> Any:
        with self._lock:
            self._made = self._made or self._make()
            return self._made


class Method:
    """A method of an actor, to be called with `remote`."""

    def __init__(self, actor: "Actor", name: str) -> None:
        self._actor = actor
        self._name = name

    def options(self, num_returns: str) -> "Method":
        assert num_returns == "streaming"
        return self

    def remote(self, *given: object) -> Any:
        ref, life = Ref(), self._actor.life
        life.refs.add(ref)
        streams = self._name == "run"
        threading.Thread(target=self._call, args=(life, ref, pickle.loads(pickle.dumps(given)), streams)).start()
        return self._stream(ref) if streams else ref

    def _call(self, life: Life, ref: Ref, given: tuple[object, ...], streams: bool) -> None:
        try:
            if self._actor.ended:
                ref.fail(RayActorError("The actor died because it was killed"))
                return
            answer = getattr(life.made, self._name)(*given)
            for value in answer if streams else (answer,):
                if life.over.is_set():
                    return
                ref.give(value)
            if streams:
                ref.fail(StopIteration())
        except Exception as error:
            ref.fail(RayTaskError(error))

    def _stream(self, ref: Ref) -> Iterator[Ref]:
        while True:
            data, error = ref.answers.get()
            if isinstance(error, StopIteration):
                return
            one = Ref()
            one.answers.put((data, error))
            yield one


class Actor:
    """A handle of an actor."""

    def __init__(self, make: Callable[[], Any], options: dict[str, Any]) -> None:
        self._make = make
        self.options = options
        self.ended = False
        self.life = Life(make)

    def __getattr__(self, name: str) -> Method:
        return Method(self, name)

    def die(self, *, for_good: bool = False) -> None:
        """End it; where it may start again, another object takes its place."""
        life, self.ended = self.life, for_good or self.options["max_restarts"] == 0
        self.life = Life(self._make)
        life.over.set()
        for ref in life.refs:
            ref.fail(RayActorError("The actor died unexpectedly before finishing this task."))


class StandInRay:
    """The module."""

    exceptions = SimpleNamespace(RayActorError=RayActorError)

    def __init__(self, **resources: float) -> None:
        self._resources = resources
        self._joined = False
        self.told: dict[str, Any] = {}
        self.actors: list[Actor] = []

    def init(self, **options: Any) -> None:
        self._joined, self.told = True, options

    def is_initialized(self) -> bool:
        return self._joined

    def shutdown(self) -> None:
        self._joined = False

    def cluster_resources(self) -> dict[str, float]:
        return self._resources

    def remote(self, kind: Callable[..., Any]) -> Any:
        def options(**chosen: Any) -> Any:
            def remote(*given: object) -> Actor:
                self.actors.append(Actor(lambda: kind(*given), chosen))
                return self.actors[-1]

            return SimpleNamespace(remote=remote)

        return SimpleNamespace(options=options)

    def get(self, ref: Ref) -> Any:
        data, error = ref.answers.get()
        if error is not None:
            raise error
        return pickle.loads(data)

    def kill(self, actor: Actor) -> None:
        actor.die(for_good=True)
