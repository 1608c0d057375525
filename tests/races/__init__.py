"""Races: what several workers, applications and operators do to one organisation at one moment."""
