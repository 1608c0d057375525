"""The commands of `halo` about organisations, series and contacts, for people and programs."""
