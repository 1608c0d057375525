"""``python -m manual`` writes the pages that are made.

``--check`` names those out of date; ``--offline FOLDER`` what the site there loads from elsewhere.
"""

import sys
from pathlib import Path

from manual.pages import DOCS, PAGES, outdated
from manual.site import loaded_from_elsewhere


def main(arguments: list[str]) -> None:
    """Do what the arguments say; exit 1 with one line if something is wrong."""
    match arguments:
        case []:
            for name, page in PAGES.items():
                (DOCS / name).write_text(page(), encoding="utf-8")
        case ["--check"]:
            if names := outdated():
                sys.exit(f"run `make docs`: {', '.join(names)} are not what the code declares")
        case ["--offline", folder]:
            if found := list(loaded_from_elsewhere(Path(folder))):
                sys.exit(
                    f"loaded from elsewhere: {', '.join(' by '.join(one[::-1]) for one in found)}"
                )
        case _:
            sys.exit(__doc__)


main(sys.argv[1:])
