"""The commands that keep an installation running."""
