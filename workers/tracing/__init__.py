"""What causes a piece of work: ids of requests on log lines, and spans of traces (decision 46)."""
