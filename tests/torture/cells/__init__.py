"""The servers of an installation of cells, what is done to them, and how long calls take."""
