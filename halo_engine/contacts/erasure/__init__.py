"""Erasing many contacts, and organisations; one contact: ``consent.erasure`` (contract §2)."""
