"""`python -m workers.web`: serves as `halo web`, or as one of several that share its socket."""

import sys

from halo_engine.settings import load_settings

from .processes import serve_all, serve_as_child

if sys.argv[1:]:
    serve_as_child(*map(int, sys.argv[1:]))
else:
    serve_all(load_settings(), lambda _: None)
