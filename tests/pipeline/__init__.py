"""The flows: signals, wide signals, due rows, re-evaluation."""
