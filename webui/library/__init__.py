"""Finds and recognises model files. Needs no torch."""
