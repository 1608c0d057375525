"""Worker processes: messages, logs, outages."""
