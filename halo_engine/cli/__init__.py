"""The `halo` command's work on organisations, series and contacts, for people and for programs."""
