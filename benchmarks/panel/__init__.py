"""How quick and how large the panel's pages are: `python -m benchmarks.panel`."""
