"""Contacts' organisation: what comes in changes contacts."""

from tests.contacts.conftest import other_work, work

__all__ = ["other_work", "work"]
