"""The workers' app, for workers that wait for a receiver longer than the test holds its answer."""

from functools import partial

from halo_workers import engine  # type: ignore[import-not-found]
from halo_workers.app import app  # type: ignore[import-not-found]

__all__ = ["app"]

engine.CallRules = partial(engine.CallRules, patience=600)
