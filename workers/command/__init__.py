"""The `halo` command of an installation: `up`, `migrate`, `doctor`, `calls`."""
