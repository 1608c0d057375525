"""`halo status`, `halo org`, `halo sending` and other commands that operate an installation."""
