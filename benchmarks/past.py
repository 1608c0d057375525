"""A past for an organisation: earlier runs, mails and events, so that every table has many rows."""

from typing import Final

from benchmarks.ground import Crowd
from benchmarks.sql import DUE
from benchmarks.workloads.ticking import GATE_THEN_EMAIL

#: Everybody has been through one of so many series, ``past-0`` and so on: u7 through ``past-7``.
SERIES: Final = 50

_GOAL: Final = {
    "goal_enabled": True,
    "goal_filters": [[{"field": "event:seen 1", "operator": "gt", "value": 1}]],
}

_LISTS: Final = """
INSERT INTO subscriptions (org_id, key, created_at)
SELECT %(org)s, key, now() FROM unnest(ARRAY['few', 'all']) AS key
"""

#: A mail each, of which some failed.
_RUNS: Final = (
    """
    INSERT INTO automation_enrollments (org_id, automation_id, end_user_id, number, created_at,
                                        ended_at, exit_reason)
    SELECT org_id, (%(past)s::uuid[])[1 + substr(external_id, 2)::int %% cardinality(%(past)s)],
           id, 1, now() - interval '9 days', now() - interval '8 days', 'completed'
    FROM end_users WHERE org_id = %(org)s
    """,
    """
    INSERT INTO automation_recipients (org_id, automation_id, step_id, end_user_id, reason,
        enrollment_number, status, scheduled_for, created_at, finished_at)
    SELECT e.org_id, e.automation_id, s.id, e.end_user_id,
           CASE WHEN e.id %% 500 = 0 THEN 'refused' END, 1,
           CASE WHEN e.id %% 500 = 0 THEN 'failed' ELSE 'completed' END,
           e.created_at, e.created_at, e.ended_at
    FROM automation_enrollments e JOIN automation_steps s
      ON s.org_id = e.org_id AND s.automation_id = e.automation_id AND s.position = 0
    WHERE e.org_id = %(org)s
    """,
    """
    INSERT INTO messages (org_id, recipient_id, end_user_id, automation_id, enrollment_number,
                          step_id, state, message_id, to_address, intended_at, sent_at, error)
    SELECT org_id, id, end_user_id, automation_id, 1, step_id,
           CASE status WHEN 'failed' THEN 'failed' ELSE 'sent' END, '<' || id || '@halo.example>',
           'somebody@acme.example', created_at, CASE status WHEN 'completed' THEN created_at END,
           reason
    FROM automation_recipients WHERE org_id = %(org)s
    """,
)

_DOINGS: Final = (
    """
    INSERT INTO events (org_id, end_user_id, session_id, name, happened_at, created_at, live)
    SELECT org_id, CASE WHEN n < 3 THEN id END, CASE WHEN n = 3 THEN 's-' || external_id END,
           'seen ' || n, created_at, created_at, false
    FROM end_users, generate_series(1, 3) n WHERE org_id = %(org)s
    """,
    """
    INSERT INTO event_counts (org_id, end_user_id, name, count, first_at, last_at)
    SELECT org_id, end_user_id, name, count(*), min(happened_at), max(happened_at)
    FROM events WHERE org_id = %(org)s AND end_user_id IS NOT NULL
    GROUP BY org_id, end_user_id, name
    """,
    """
    INSERT INTO contact_sessions (org_id, session_id, end_user_id, linked_at)
    SELECT org_id, 'old-' || external_id, id, created_at FROM end_users WHERE org_id = %(org)s
    """,
    """
    INSERT INTO idempotency_keys (org_id, key, fingerprint, answer, end_user_id, created_at)
    SELECT org_id, 'key-' || external_id, repeat('0', 64), '{}', id, created_at
    FROM end_users WHERE org_id = %(org)s
    """,
    """
    INSERT INTO subscription_members (org_id, end_user_id, subscription_id, subscribed_at)
    SELECT u.org_id, u.id, s.id, u.created_at
    FROM end_users u JOIN subscriptions s
      ON s.org_id = u.org_id AND (s.key = 'all' OR substr(u.external_id, 2)::int %% 1000 = 0)
    WHERE u.org_id = %(org)s
    """,
    """
    INSERT INTO suppressions (org_id, address, bounced_at)
    SELECT org_id, address, created_at FROM end_users
    WHERE org_id = %(org)s AND substr(external_id, 2)::int %% 100 = 0
    """,
    """
    UPDATE end_users SET stripe_customer_id = 'cus-' || external_id
    WHERE org_id = %(org)s AND substr(external_id, 2)::int %% 2 = 0
    """,
)
_TABLES: Final = (
    "automation_enrollments",
    "automation_recipients",
    "messages",
    "events",
    "event_counts",
    "contact_sessions",
    "idempotency_keys",
    "subscription_members",
    "suppressions",
    "end_users",
)


def give_past(crowd: Crowd, due: int) -> None:
    """Write the past of everybody, and of the series `due` so many rows that are due."""
    crowd.run(_LISTS)
    email = {"key": "hi", "email": {"subject": "Hi", "body": "Hi"}}
    past = [
        crowd.draft(f"past-{number}", entry_trigger="manual", steps=[email], settings=_GOAL)
        for number in range(SERIES)
    ]
    for number in range(SERIES):
        crowd.activate(f"past-{number}")
    crowd.set_up(*_RUNS, past=past)
    crowd.set_up(*_DOINGS)
    series = crowd.draft("due", **GATE_THEN_EMAIL)
    crowd.activate("due")
    of_due = " AND e.automation_id = ANY(%(series)s)"
    crowd.set_up(DUE[0], DUE[1] + of_due, due=due, series=[series])
    crowd.run("TRUNCATE signals")
    crowd.rest(*_TABLES)
