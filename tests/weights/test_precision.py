"""Which device and number format are chosen."""

import pytest
import torch

from webui.domain.errors import BadRequestError
from webui.weights import precision
from webui.weights.precision import Precision, resolve


@pytest.mark.parametrize(("asked", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_what_is_asked_for_is_taken(asked: Precision, dtype: torch.dtype) -> None:
    assert resolve("cpu", asked) == (torch.device("cpu"), dtype, asked != "fp32")


@pytest.mark.parametrize(("capable", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_automatic_on_a_cpu_follows_the_processor(
    monkeypatch: pytest.MonkeyPatch, capable: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(precision, "cpu_computes_bf16", lambda: capable)
    assert resolve("cpu", "auto") == (torch.device("cpu"), dtype, True)


def test_half_precision_is_refused_on_a_cpu() -> None:
    with pytest.raises(BadRequestError, match="fp16"):
        resolve("cpu", "fp16")


@pytest.mark.parametrize("device", ["nonsense", "cuda:77", "meta"])
def test_devices_that_are_not_there_are_refused(device: str) -> None:
    with pytest.raises(BadRequestError, match="device"):
        resolve(device, "fp32")
