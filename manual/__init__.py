"""Makes the reference pages of `docs/` from the declarations in the code, and draws diagrams."""
