"""Instants, durations, cron and windows."""
