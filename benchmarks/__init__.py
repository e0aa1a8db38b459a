"""Speed and memory, measured; nothing here is asserted in tests. Start with `python benchmarks/run.py`."""
