"""Token merging: nothing is lost by merging and giving back, alike tokens are the ones merged, and it is undone."""

import pytest
import torch
from diffusers import UNet2DConditionModel

from tests.narrowing import known, untyped
from webui.weights.merging import match, merged_tokens


def test_alike_tokens_are_merged_without_loss() -> None:
    squares = torch.randn(2, 3, 4, 8)
    tokens = squares.repeat_interleave(2, 1).repeat_interleave(2, 2).reshape(2, 48, 8)  # 6 x 8 cells
    merge = known(match(tokens, 6, 8, 0.75))
    small = merge.shrink(tokens)
    assert small.shape == (2, 12, 8)
    torch.testing.assert_close(merge.grow(small), tokens)


@pytest.mark.parametrize(("height", "width"), [(6, 8), (5, 7), (2, 9)])
@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.9])
def test_sizes_and_means(height: int, width: int, ratio: float) -> None:
    tokens = torch.randn(3, height * width, 8)
    merge = known(match(tokens, height, width, ratio))
    count = min(height * width - (height // 2) * (width // 2), int(height * width * ratio))
    small = merge.shrink(tokens)
    assert small.shape == (3, height * width - count, 8)
    grown = merge.grow(small)
    assert grown.shape == tokens.shape
    for row in range(3):  # a token left alone is what it was; one that was merged is the mean of its group
        target = merge.kept[merge.into[row, 0, 0]]
        members = merge.others[merge.merged[row, :, 0][merge.into[row, :, 0] == merge.into[row, 0, 0]]]
        mean = tokens[row, [int(target), *members.tolist()]].mean(dim=0)
        torch.testing.assert_close(grown[row, target], mean)
    torch.testing.assert_close(small[:, : merge.alone.shape[1]], tokens[:, merge.others].gather(
        1, merge.alone.expand(-1, -1, 8)))  # fmt: skip


def test_rows_of_a_batch_are_matched_by_themselves() -> None:
    tokens = torch.randn(2, 48, 8)
    both, alone = known(match(tokens, 6, 8, 0.5)), known(match(tokens[1:], 6, 8, 0.5))
    torch.testing.assert_close(both.grow(both.shrink(tokens))[1:], alone.grow(alone.shrink(tokens[1:])))


def test_no_share_merges_nothing() -> None:
    assert match(torch.randn(1, 48, 8), 6, 8, 0.0) is None


def test_a_network_is_itself_again_afterwards() -> None:
    torch.manual_seed(0)
    unet = untyped(UNet2DConditionModel)(
        sample_size=8, block_out_channels=(32, 32), layers_per_block=1, cross_attention_dim=16, attention_head_dim=8,
        norm_num_groups=8, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    ).eval()  # fmt: skip
    sample, context = torch.randn(2, 4, 8, 8), torch.randn(2, 5, 16)

    @torch.no_grad()
    def answer() -> torch.Tensor:
        made: torch.Tensor = unet(sample, torch.tensor([9.0, 9.0]), context, return_dict=False)[0]
        return made

    before = answer()
    with merged_tokens(unet, 0.5):
        merged = answer()
    with merged_tokens(unet, 0.0):
        torch.testing.assert_close(answer(), before, rtol=0, atol=0)
    assert (merged - before).abs().max() > 1e-5
    torch.testing.assert_close(answer(), before, rtol=0, atol=0)
