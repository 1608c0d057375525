"""What must hold for organisations at rest after any race, judged by plain SQL."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, text

#: Each query finds violations of the promise named: the organisation, and a text that says what and
#: where.
_PROMISES: Final = {
    "an active run has exactly one active row": """
        SELECT e.org_id, format('run %s of %s has %s', e.number, e.end_user_id, count(r.id))
        FROM automation_enrollments e LEFT JOIN automation_recipients r
        ON r.org_id = e.org_id AND r.automation_id = e.automation_id
        AND r.end_user_id = e.end_user_id AND r.enrollment_number = e.number
        AND r.status IN ('pending', 'processing')
        WHERE e.ended_at IS NULL
        GROUP BY e.org_id, e.automation_id, e.end_user_id, e.number HAVING count(r.id) <> 1""",
    "an active row belongs to an active run": """
        SELECT r.org_id, format('row %s of %s', r.id, r.end_user_id) FROM automation_recipients r
        JOIN automation_enrollments e
        ON e.org_id = r.org_id AND e.automation_id = r.automation_id
        AND e.end_user_id = r.end_user_id AND e.number = r.enrollment_number
        WHERE r.status IN ('pending', 'processing') AND e.ended_at IS NOT NULL""",
    "nothing is under way, or due in a series that is active": """
        SELECT r.org_id, format('row %s is %s', r.id, r.status) FROM automation_recipients r
        JOIN automations a ON a.org_id = r.org_id AND a.id = r.automation_id
        WHERE r.status = 'processing'
        OR r.status = 'pending' AND a.status = 'active' AND r.scheduled_for <= now()""",
    "who waits, waits at a step that is there": """
        SELECT r.org_id, format('row %s', r.id) FROM automation_recipients r
        JOIN automations a ON a.org_id = r.org_id AND a.id = r.automation_id
        JOIN automation_steps s ON s.org_id = r.org_id AND s.id = r.step_id
        WHERE r.status = 'pending' AND a.status = 'active' AND s.removed_at < r.created_at""",
    "a contact has at most one active run, the latest": """
        SELECT e.org_id, format('run %s of %s', e.number, e.end_user_id)
        FROM automation_enrollments e JOIN automation_enrollments later
        ON later.org_id = e.org_id AND later.automation_id = e.automation_id
        AND later.end_user_id = e.end_user_id AND later.number > e.number
        WHERE e.ended_at IS NULL""",
    "runs are numbered without a hole": """
        SELECT org_id, format('%s has %s of %s', end_user_id, count(*), max(number))
        FROM automation_enrollments GROUP BY org_id, automation_id, end_user_id
        HAVING count(*) <> max(number) OR min(number) <> 1""",
    "only the latest run has rows": """
        SELECT r.org_id, format('row %s of run %s', r.id, r.enrollment_number)
        FROM automation_recipients r JOIN automation_enrollments later
        ON later.org_id = r.org_id AND later.automation_id = r.automation_id
        AND later.end_user_id = r.end_user_id AND later.number > r.enrollment_number""",
    "a contact has one row at a step": """
        SELECT org_id, format('%s has %s', end_user_id, count(*)) FROM automation_recipients
        GROUP BY org_id, step_id, end_user_id HAVING count(*) > 1""",
    "the last row of a run that ended says why, and no other": """
        SELECT e.org_id, format('run %s of %s: %s', e.number, e.end_user_id, e.exit_reason)
        FROM automation_enrollments e LEFT JOIN automation_recipients r
        ON r.org_id = e.org_id AND r.automation_id = e.automation_id
        AND r.end_user_id = e.end_user_id AND r.enrollment_number = e.number
        WHERE e.ended_at IS NOT NULL AND NOT EXISTS (
            SELECT FROM automation_enrollments later
            WHERE later.org_id = e.org_id AND later.automation_id = e.automation_id
            AND later.end_user_id = e.end_user_id AND later.number > e.number)
        GROUP BY e.org_id, e.automation_id, e.end_user_id, e.number, e.exit_reason
        HAVING count(*) FILTER (WHERE CASE e.exit_reason
            WHEN 'completed' THEN r.exit_reason = 'completed' AND r.status <> 'exited'
            WHEN 'condition_not_met' THEN r.reason = 'condition_not_met'
            ELSE r.exit_reason = e.exit_reason AND r.status = 'exited' END) <> 1
        OR count(r.exit_reason) > 1""",
    "a run has its company's seat where a series is one per company, else none": """
        SELECT e.org_id, format('run %s of %s', e.number, e.end_user_id)
        FROM automation_enrollments e
        JOIN automations a ON a.org_id = e.org_id AND a.id = e.automation_id
        JOIN end_users c ON c.org_id = e.org_id AND c.id = e.end_user_id
        WHERE e.ended_at IS NULL AND e.company_seat IS DISTINCT FROM
        CASE WHEN (a.settings->>'one_per_company')::boolean THEN c.company_id END""",
    "a company has at most one run where a series is one per company": """
        SELECT e.org_id, format('%s has %s', c.company_id, count(*)) FROM automation_enrollments e
        JOIN automations a ON a.org_id = e.org_id AND a.id = e.automation_id
        JOIN end_users c ON c.org_id = e.org_id AND c.id = e.end_user_id
        WHERE e.ended_at IS NULL AND c.company_id IS NOT NULL
        AND (a.settings->>'one_per_company')::boolean
        GROUP BY e.org_id, e.automation_id, c.company_id HAVING count(*) > 1""",
    "an address has at most one run where a series is one per address": """
        SELECT e.org_id, format('%s has %s', e.address, count(*)) FROM automation_enrollments e
        JOIN automations a ON a.org_id = e.org_id AND a.id = e.automation_id
        WHERE e.ended_at IS NULL AND e.address <> ''
        AND (a.settings->>'one_per_address')::boolean
        GROUP BY e.org_id, e.automation_id, e.address HAVING count(*) > 1""",
    "no signal waits": """
        SELECT s.org_id, format('%s %s: %s', s.kind, s.id, s.error) FROM signals s
        WHERE s.parked_at IS NOT NULL OR NOT EXISTS (
            SELECT FROM automations a WHERE a.org_id = s.org_id AND a.id = s.automation_id
            AND a.status = 'paused' AND s.kind = 'activated')""",
    "a manual series is completed when nobody is left, and nobody is in a completed one": """
        SELECT a.org_id, format('%s is %s', a.key, a.status) FROM automations a
        WHERE CASE WHEN EXISTS (
            SELECT FROM automation_enrollments e WHERE e.org_id = a.org_id
            AND e.automation_id = a.id AND e.ended_at IS NULL)
        THEN a.status = 'completed'
        ELSE a.entry_trigger = 'manual' AND a.status IN ('active', 'paused') END""",
    "a series has an open period when and only when it is active": """
        SELECT a.org_id, format('%s is %s', a.key, a.status) FROM automations a
        LEFT JOIN automation_active_periods p
        ON p.org_id = a.org_id AND p.automation_id = a.id AND p.ended_at IS NULL
        WHERE (a.status = 'active') <> (p.started_at IS NOT NULL)""",
    "the outcome of every mail is known, and it agrees with its row": """
        SELECT r.org_id, format('row %s: %s, %s', r.id, r.status, m.state)
        FROM automation_recipients r
        JOIN automation_steps s ON s.org_id = r.org_id AND s.id = r.step_id
        LEFT JOIN messages m ON m.org_id = r.org_id AND m.recipient_id = r.id
        WHERE s.email IS NOT NULL AND (m.state = 'intended'
        OR r.status = 'completed' AND m.state IS DISTINCT FROM 'sent'
        OR r.status IN ('pending', 'skipped') AND m.state IS NOT NULL)""",
    "a step of a run is mailed once": """
        SELECT org_id, format('%s has %s', end_user_id, count(*)) FROM messages
        GROUP BY org_id, end_user_id, step_id, enrollment_number HAVING count(*) > 1""",
}


def violations(connection: Connection, promises: Mapping[str, str]) -> list[str]:
    """Return what breaks the general promises, or those given: promise, organisation, and what."""
    found = []
    for promise, query in {**_PROMISES, **promises}.items():
        found += [f"{promise}: {row}" for row in connection.execute(text(query))]
    return found
