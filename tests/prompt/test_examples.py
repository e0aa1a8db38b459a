"""The prompt language against 169 worked examples, all made by A1111's own functions."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from webui.domain.errors import BadRequestError
from webui.domain.request import PromptRules
from webui.prompt.chunks import chunks
from webui.prompt.embedding_table import EmbeddingTable
from webui.prompt.embeddings import Embedding
from webui.prompt.syntax import (
    apply_styles,
    extra_networks,
    parse_attention,
    schedules,
    split_and,
    strip_comments,
)
from webui.prompt.tokenize import ClipTokenizer

EXAMPLES = json.loads((Path(__file__).parent / "data" / "prompt-examples.json").read_text())["examples"]


def of_kind(kind: str) -> list[Any]:
    return [pytest.param(example, id=example["id"]) for example in EXAMPLES if example["kind"] == kind]


@pytest.fixture(scope="module")
def tokenizer() -> ClipTokenizer:
    return ClipTokenizer()


def test_every_example_has_a_test() -> None:
    kinds = {"schedule", "attention", "and", "extra_networks", "styles", "comments", "chunks", "selection"}
    assert {example["kind"] for example in EXAMPLES} == kinds
    assert len(EXAMPLES) == 169


@pytest.mark.parametrize("example", of_kind("schedule"))
def test_schedule(example: dict[str, Any]) -> None:
    params = example["params"]
    steps, base = params["steps"], None
    if params["hires_steps"] is not None:
        steps, base = params["hires_steps"], params["steps"]
    found = schedules(example["input"], steps, base, old=params["use_old_scheduling"])
    assert [list(entry) for entry in found] == example["expected"]


@pytest.mark.parametrize("example", of_kind("attention"))
def test_attention(example: dict[str, Any]) -> None:
    if isinstance(example["expected"], dict):
        with pytest.raises(BadRequestError, match="prompt: "):
            parse_attention(example["input"])
        return
    assert [list(segment) for segment in parse_attention(example["input"])] == example["expected"]


@pytest.mark.parametrize("example", of_kind("and"))
def test_and(example: dict[str, Any]) -> None:
    assert [list(part) for part in split_and(example["input"])] == example["expected"]


@pytest.mark.parametrize("example", of_kind("extra_networks"))
def test_extra_networks(example: dict[str, Any]) -> None:
    text, tags = extra_networks(example["input"])
    networks: dict[str, list[dict[str, Any]]] = {}
    for tag in tags:
        networks.setdefault(tag.kind, []).append({"positional": list(tag.positional), "named": dict(tag.named)})
    assert {"text": text, "networks": networks} == example["expected"]


@pytest.mark.parametrize("example", of_kind("styles"))
def test_styles(example: dict[str, Any]) -> None:
    assert apply_styles(example["input"], example["params"]["styles"]) == example["expected"]


@pytest.mark.parametrize("example", of_kind("comments"))
def test_comments(example: dict[str, Any]) -> None:
    assert strip_comments(example["input"]) == example["expected"]


@pytest.mark.parametrize("example", of_kind("chunks"))
def test_chunks(example: dict[str, Any], tokenizer: ClipTokenizer) -> None:
    lengths = example.get("params", {}).get("embeddings", {})
    named = [Embedding(name, {"only": torch.zeros(length, 8)}) for name, length in lengths.items()]
    table = EmbeddingTable(named, tokenizer)
    result = chunks(example["input"], tokenizer, table, PromptRules(), size=75)
    expected = example["expected"]
    assert (result.count, result.limit) == (expected["token_count"], expected["limit"])
    assert [list(chunk.tokens) for chunk in result.chunks] == [chunk["tokens"] for chunk in expected["chunks"]]
    for chunk, wanted in zip(result.chunks, expected["chunks"], strict=True):
        assert list(chunk.weights) == wanted.get("multipliers", [1.0] * wanted["used"])
        assert [[offset, found.name] for offset, found in chunk.embeddings] == wanted.get("embeddings", [])


@pytest.mark.parametrize("example", of_kind("selection"))
def test_selection(example: dict[str, Any]) -> None:
    entries = schedules(example["input"], example["params"]["steps"])
    used = [
        next((text for until, text in entries if call <= until), entries[0][1])
        for call in range(example["params"]["calls"])
    ]
    assert used == example["expected"]
