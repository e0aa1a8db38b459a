"""What fits into the memory of a device."""

from webui.library.fitting import GIB, SIZES, fitting


def test_more_memory_never_fits_less_and_enough_fits_the_largest() -> None:
    for on_card in (False, True):
        before: dict[str, int] = {}
        for memory in range(40):
            now = {one.kind: one.width * one.height for one in fitting(memory * GIB, on_card=on_card)}
            assert all(now.get(kind, 0) >= pixels for kind, pixels in before.items())
            before = now
        assert set(before) == {one.kind for one in SIZES}
        assert before["SDXL"] == 1536 * 1536


def test_a_processor_needs_more_than_a_card_and_little_memory_fits_nothing() -> None:
    assert fitting(GIB, on_card=True) == ()
    kinds = [one.kind for one in fitting(8 * GIB, on_card=False)]
    assert kinds == ["SD 1.5"]
    assert [one.kind for one in fitting(8 * GIB, on_card=True)] == ["SD 1.5", "SDXL"]
