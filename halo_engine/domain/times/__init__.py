"""Instants, durations, date formats, cron and send windows (contract §1, §5)."""
