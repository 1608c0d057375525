"""The steps of a series: write, order, preview and test them (contract §17)."""
