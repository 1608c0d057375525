"""The browsers that the tests of the panel can use, and what is said where there is none."""

from typing import Final

#: What a Chromium is called as a command.
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
NO_BROWSER: Final = "no Chromium is installed; on Debian: apt-get install chromium"
WHY_LEFT_OUT: Final = f"The browser tests of the panel (tests/panel) were left out: {NO_BROWSER}"
