"""Benchmarks: each workload against bare SQL on the same tables, alternating (`make bench`)."""
