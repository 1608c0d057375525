"""Workloads with processes of their own: workers, web processes, servers."""
