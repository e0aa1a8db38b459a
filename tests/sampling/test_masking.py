"""What a mask does to latents: what is protected comes back, half-way mixtures keep their contrast."""

import torch
from torch import Tensor

from webui.domain.inpainting import SoftInpainting
from webui.sampling.masking import LatentMask, soft_blend
from webui.sampling.steps import Step
from webui.sampling.timestep import Guided

CLEAN = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(1))
NEW = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(2))
PAINTED = torch.tensor([[0.0, 0.25, 0.5, 0.75, 1.0]]).expand(1, 1, 3, 5)
ANY_STEP = Step(0, 1, torch.tensor(2.0), torch.tensor(1.0))


def norms(latents: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(latents, dim=1)
    return lengths


def test_each_cell_is_new_by_its_share() -> None:
    blended = LatentMask(CLEAN, PAINTED).blended(NEW)
    torch.testing.assert_close(blended[..., 0], CLEAN[..., 0])
    torch.testing.assert_close(blended[..., 4], NEW[..., 4])
    torch.testing.assert_close(blended[..., 1], 0.25 * NEW[..., 1] + 0.75 * CLEAN[..., 1])


def test_a_run_ends_with_the_protected_part_put_back() -> None:
    mask = LatentMask(CLEAN, PAINTED)
    torch.testing.assert_close(mask.finished(NEW), mask.blended(NEW))


def test_soft_inpainting_decides_in_the_picture_what_a_run_ends_with() -> None:
    assert torch.equal(LatentMask(CLEAN, PAINTED, SoftInpainting()).finished(NEW), NEW)


def test_the_estimate_of_noise_level_space_has_the_protected_part_put_back() -> None:
    mask = LatentMask(CLEAN, PAINTED)
    denoise = mask.denoiser(lambda step, latents, sigma: 2 * latents)
    torch.testing.assert_close(denoise(ANY_STEP, NEW, torch.tensor(2.0)), mask.blended(2 * NEW))


def test_the_model_of_timestep_space_sees_the_protected_part_clean() -> None:
    mask, seen = LatentMask(CLEAN, PAINTED), []

    def epsilon(step: Step, latents: Tensor, timestep: Tensor) -> Guided:
        seen.append(latents)
        return Guided(latents, latents)

    mask.predictor(epsilon)(ANY_STEP, NEW, torch.tensor(500.0))
    torch.testing.assert_close(seen, [mask.blended(NEW)])


def test_soft_inpainting_blends_by_the_noise_level() -> None:
    """The share of the new is the mask to the power of sigma^bias x preservation."""
    soft = SoftInpainting(schedule_bias=2.0, preservation=0.5, contrast_boost=1.0)
    kept = LatentMask(CLEAN, PAINTED, soft).kept(NEW, torch.tensor(3.0))
    torch.testing.assert_close(kept, soft_blend(CLEAN, NEW, PAINTED ** (3.0**2 * 0.5), 1.0))
    for column, latents in ((0, CLEAN), (4, NEW)):
        torch.testing.assert_close(kept[..., column], latents[..., column], rtol=1e-4, atol=1e-4)


def test_a_blended_cell_is_as_long_as_the_power_mean_of_both() -> None:
    for boost in (1.0, 2.0, 4.0):
        share = PAINTED[:, 0]
        wanted = (norms(CLEAN) ** boost * (1 - share) + norms(NEW) ** boost * share) ** (1 / boost)
        torch.testing.assert_close(norms(soft_blend(CLEAN, NEW, PAINTED, boost)), wanted, rtol=1e-4, atol=1e-4)


def test_a_blended_cell_points_where_the_plain_mixture_does() -> None:
    mixed, blended = LatentMask(CLEAN, PAINTED).blended(NEW), soft_blend(CLEAN, NEW, PAINTED, 2.0)
    along = (mixed * blended).sum(dim=1) / (norms(mixed) * norms(blended))
    torch.testing.assert_close(along, torch.ones_like(along))
