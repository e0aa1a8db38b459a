"""The parsers of the prompt language in one place, as pure functions of text.

The order of use (each takes the result of the one before) is: merge_styles, strip_comments, extra_networks, split_and,
schedules, parse_attention. A negative prompt skips extra_networks and split_and.
"""

from webui.prompt.attention import Segment, parse_attention
from webui.prompt.composition import NetworkTag, extra_networks, split_and, strip_comments
from webui.prompt.schedule import schedules
from webui.prompt.styles import Style, apply_styles, merge_styles, read_styles

__all__ = [
    "NetworkTag",
    "Segment",
    "Style",
    "apply_styles",
    "extra_networks",
    "merge_styles",
    "parse_attention",
    "read_styles",
    "schedules",
    "split_and",
    "strip_comments",
]
