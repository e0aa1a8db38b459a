"""The grammar of an axis's values, against the table of A1111's forms."""

import pytest

from webui.experiments.axis_values import Kind, as_text, texts_of, values_of


@pytest.mark.parametrize(
    ("kind", "text", "values"),
    [
        ("int", "1,2, 3", (1, 2, 3)),
        ("int", "1-5", (1, 2, 3, 4, 5)),
        ("int", "1-9 (+2)", (1, 3, 5, 7, 9)),
        ("int", "5-1 (-2)", (5, 3)),
        ("int", "1-10 [5]", (1, 3, 5, 7, 10)),
        ("int", "-1, 4-5", (-1, 4, 5)),
        ("int", "1,,2", (1, 2)),
        ("float", "0.5", (0.5,)),
        ("float", "1-3", (1.0, 2.0, 3.0)),
        ("float", "0-1 [3]", (0.0, 0.5, 1.0)),
        ("float", "0.2-0.8 (+0.3)", (0.2, 0.5, 0.8, 1.1)),
        ("text", 'a, "b, c" ,d', ("a", "b, c", "d")),
        ("order", "a,b", (("a", "b"), ("b", "a"))),
    ],
)
def test_forms(kind: Kind, text: str, values: tuple[object, ...]) -> None:
    found = values_of(kind, texts_of(text))
    assert found == (pytest.approx(values) if kind == "float" else values)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("int", "a"),
        ("int", "1.5"),
        ("float", "x"),
        ("int", "1-5000"),
        ("float", "0-1 (+0.0001)"),
        ("order", "a,b,c,d,e,f,g"),
    ],
)
def test_what_is_refused(kind: Kind, text: str) -> None:
    with pytest.raises(ValueError, match=r"neither|values|orders"):
        values_of(kind, texts_of(text))


@pytest.mark.parametrize("texts", [("a", "b"), ("a, b", "c"), ('say "x"', "y")])
def test_texts_come_back_from_csv(texts: tuple[str, ...]) -> None:
    assert texts_of(as_text(texts)) == texts
