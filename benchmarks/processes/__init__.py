"""Processes that workloads measure with: a mail server, workers, a load over HTTP."""
