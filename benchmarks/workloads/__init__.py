"""The workloads by number (`docs/explanation/performance.md`), and the naive baseline."""
