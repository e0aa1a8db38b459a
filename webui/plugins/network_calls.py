"""The network as an extension calls it from within its hook."""

from torch import Tensor

from webui.plugins.calling import Calls
from webui.sampling.steps import CallNetwork, ModelCall


class Outside:
    """Calls the network as work of the program that an extension waits for.

    Attributes:
        error: what the network raised last, which is no fault of the extension.
    """

    def __init__(self, network: CallNetwork, calls: Calls) -> None:
        self._network = network
        self._calls = calls
        self.error: Exception | None = None

    def __call__(self, call: ModelCall) -> Tensor:
        try:
            with self._calls.whereabouts.outside():
                return self._network(call)
        except Exception as error:
            self.error = error
            raise
