"""Chaos: every server and process is killed, stopped, frozen or emptied while calls come in."""
