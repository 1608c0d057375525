"""The `halo` command as a person, and a program, uses it."""
