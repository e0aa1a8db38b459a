"""Tags of LoRAs in whole jobs: what acts at some steps alone, and what is said of checkpoints."""

import numpy as np

from tests.a1111_answers import answered, request_of
from tests.processing.reporters import Silent
from tests.reference import case_named
from webui.processing.back import Back


def test_a_network_that_acts_at_some_steps_acts_so_in_every_batch(reference_back: Back) -> None:
    small = {"n_iter": 2, "steps": 4, "width": 64, "height": 64}
    case = case_named("lbw_stop4")
    images = answered(case, reference_back, prompt="a red cat <lora:tiny-lora:1:step=1-2>", **small).images
    assert len(images) == 2
    for image in images:
        alone = reference_back.run(image.request, Silent()).images[0]
        assert np.array_equal(np.asarray(alone.image), np.asarray(image.image))


def test_a_checkpoint_of_another_hash_is_said(reference_back: Back) -> None:
    request = request_of(case_named("lbw_all"), reference_back, width=64, height=64)
    result = reference_back.run(request.with_(checkpoint="tiny-sd1 [0123456789]", steps=1), Silent())
    [notice] = result.notices
    assert notice.source == "checkpoint"
    assert notice.text.startswith("no file has the hash 0123456789 of 'tiny-sd1 [0123456789]'; tiny-sd1.safetensors [")
