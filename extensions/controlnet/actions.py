"""Placeholder of the routes."""

ACTIONS: tuple[()] = ()
