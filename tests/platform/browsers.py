"""The browsers that the tests of the panel can use, and what is said where there is none."""

import shutil
from typing import Final

#: What a Chromium is called as a command. The one without windows starts first: a window for each
#: context took more than half of the browser's time.
BROWSERS: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
NO_BROWSER: Final = "no Chromium is installed; on Debian: apt-get install chromium-headless-shell"
WHY_LEFT_OUT: Final = f"The browser tests of the panel (tests/panel) were left out: {NO_BROWSER}"


def found_browser() -> str | None:
    """Return the path of the first of them that is installed."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)
