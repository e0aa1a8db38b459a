"""A web UI for Stable Diffusion. Rooms and doors: docs/architecture.md."""

VERSION = "0.1.0"
