"""The methods of a merge in words: what each does, what it computes, and which options it reads. It needs no torch.

In a diagram the plane is that of all weights, the small points are A, B and C, and the large one is the result.
"""

from collections.abc import Mapping
from types import MappingProxyType

from webui.extension_api import Card, Columns, Heat

_AT = "   α = {alpha}[, {alpha_blocks} in the UNet]"
CARDS: Mapping[str, Card] = MappingProxyType(
    {
        "weighted_sum": Card(
            title="Weighted sum", text="A moves towards B.", diagram="M6 22L42 8|6 22,42 8|22 15.5",
            formula=f"(1 − α) A + α B{_AT}",
        ),
        "add_difference": Card(
            title="Add difference", text="A gains what B learnt since C.",
            diagram="M6 22L24 14M24 24L42 16|6 22,24 24,42 16|24 14", formula=f"A + α (B − C){_AT}",
        ),
        "train_difference": Card(
            title="Train difference", text="As if A had learnt it itself.",
            diagram="M6 22Q16 10 26 12M24 24L42 16|6 22,24 24,42 16|26 12", formula=f"A + α (B − C) · share of C{_AT}",
        ),
        "triple_sum": Card(
            title="Triple sum", text="All three, by share.", diagram="M6 22L42 22L24 5Z|6 22,42 22,24 5|24 17",
            formula=f"(1 − α − β) A + α B + β C{_AT}, β = {{beta}}[, {{beta_blocks}} in the UNet]",
        ),
        "sum_twice": Card(
            title="Sum twice", text="A with B, then that with C.",
            diagram="M6 22L42 22M24 22L24 5|6 22,42 22,24 5|24 13",
            formula=f"(1 − β) ((1 − α) A + α B) + β C{_AT}, β = {{beta}}[, {{beta_blocks}} in the UNet]",
        ),
        "smooth_add": Card(
            title="Smooth add", text="Add difference, without its grain.",
            diagram="M6 22Q16 12 24 14M24 24L42 16|6 22,24 24,42 16|24 14", formula=f"A + α · smooth(B − C){_AT}",
        ),
        "cosine_a": Card(
            title="Cosine A", text="Keeps A where both are alike.", diagram="M6 22L42 8|6 22,42 8|14 19",
            formula=f"(1 − k) B + k A, k by likeness − α{_AT}",
        ),
        "cosine_b": Card(
            title="Cosine B", text="The same, nearer to B.", diagram="M6 22L42 8|6 22,42 8|32 12",
            formula=f"(1 − k) B + k A, k by likeness and length − α{_AT}",
        ),
        "tensor": Card(
            title="Tensor", text="Rows of B in place of A's.", diagram="M6 8H42M6 15H42M6 22H42|6 15,42 15|24 15",
            formula=f"A, with the share α of its rows from B, from the share {{beta}} on{_AT}",
        ),
        "tensor2": Card(
            title="Tensor 2", text="Columns of B in place of A's.",
            diagram="M14 6V26M24 6V26M34 6V26|14 15,34 15|24 15",
            formula=f"A, with the share α of its columns from B, from the share {{beta}} on{_AT}",
        ),
        "ties": Card(
            title="TIES", text="Keeps the changes that agree.",
            diagram="M8 24L20 6M8 24L38 10M8 24L30 8|8 24,20 6,38 10|30 8",
            formula=f"C + α · agreeing(A − C, B − C), the largest {{density}}{_AT}",
        ),
        "dare": Card(
            title="DARE", text="Keeps some changes, by chance.",
            diagram="M8 24L20 6M8 24L38 18M8 24L26 12|8 24,20 6,38 18|26 12",
            formula=f"C + α · dropped(A − C, B − C), {{density}} kept, seed {{seed}}{_AT}",
        ),
        "copy": Card(
            title="Copy", text="A, in other numbers or with LoRAs.", diagram="M12 15H36|12 15|36 15", formula="A"
        ),
    }
)  # fmt: skip
NEEDS_B = tuple(name for name in CARDS if name != "copy")
WHOLE = ("smooth_add", "cosine_a", "cosine_b", "tensor", "tensor2")  # a tensor is looked at as a whole
COSINE = ("cosine_a", "cosine_b")
EXCHANGES = ("tensor", "tensor2")
NEEDS_C = tuple(name for name in NEEDS_B if name not in ("weighted_sum", *COSINE, *EXCHANGES))
DIFFERENCES = ("add_difference", "smooth_add")  # where C lacks a tensor, the difference is 0
ALPHA = NEEDS_B
BETA = ("triple_sum", "sum_twice", *EXCHANGES)
DENSITY = ("ties", "dare")
SEED = ("dare",)
BLOCKS = Columns(action="blocks", of=("a",))
HEAT = Heat(action="compare", of=("a", "b"))
