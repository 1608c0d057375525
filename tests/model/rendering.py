"""Merge fields and what surrounds them (contract §9)."""

import html
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tests.model.language.people import Contact
from tests.model.language.series import Step
from tests.model.runs import Mail, Run
from tests.model.state import State

MERGE_FIELD = re.compile(r"\{\{\s*([^|{}]+?)\s*(?:\|([^{}]*?)\s*)?\}\}")


def _as_text(value: Any) -> str:
    if isinstance(value, list | dict):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime) else str(value)


def render(
    state: State, template: str, contact: Contact, kept: Mapping[str, Any], *, escape: bool
) -> str:
    """Fill a template's merge fields; a missing value is its fallback, or blank (contract §9)."""

    def fill(found: re.Match[str]) -> str:
        value = state.value(contact, found[1], kept=kept)
        text = ("" if value is None else _as_text(value)) or found[2] or ""
        return html.escape(text) if escape else text

    return MERGE_FIELD.sub(fill, template)


def render_mail(state: State, run: Run, step: Step) -> Mail:
    """Write the mail of an email step to a contact that has an address (contract §9)."""
    assert step.email is not None
    series, contact, kept = run.series, run.contact, run.properties
    body = render(state, step.email["body"], contact, kept, escape=True)
    headers = {}
    if series.definition.kind == "marketing":
        body = f"{body}\n{state.org['company_footer']}"
        headers = {
            "List-Unsubscribe": "<https://",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
    subject = render(state, step.email["subject"], contact, kept, escape=False)
    return Mail(step.key, contact.email or "", subject, body, headers)
