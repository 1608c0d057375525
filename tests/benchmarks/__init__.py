"""The benchmarks' own tests: what they compare with does the same."""
