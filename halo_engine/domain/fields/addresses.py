"""Addresses and domains that mail of ours can go out from and come back to (contract §15).

Whose mail goes to whom is another question: a contact's address is a trait (``traits``).
"""

from email_validator import EmailNotValidError, validate_email


def is_address(text: str) -> bool:
    """Return whether mail can come to an address; no server is asked."""
    try:
        validate_email(text, check_deliverability=False)
    except EmailNotValidError:
        return False
    return True


def mail_domain(text: str) -> str | None:
    """Return a domain in ASCII; None if no mail can come to it."""
    try:
        return validate_email(f"bounce@{text}", check_deliverability=False).ascii_domain
    except EmailNotValidError:
        return None
