"""An installation whose statistics are older than most of its contacts."""

from typing import Any

from sqlalchemy import Engine, text

from tests.pipeline.sandbox import EMAIL, NOON, Sandbox, new_sandbox

#: The rows of every series but ``open``: contacts, companies, runs, due rows and histories.
_ROWS = (
    """
    INSERT INTO companies (org_id, external_id, custom_fields, created_at, updated_at)
    SELECT :org, 'c' || i, jsonb_build_object('tier', i % 3), :now, :now
    FROM generate_series(0, CAST(:contacts AS int) / 10) i
    """,
    """
    INSERT INTO end_users (org_id, external_id, source, email, custom_fields, company_id,
        created_at, updated_at, first_seen, last_seen)
    SELECT :org, 'u' || i, 'sdk', 'u' || i || '@a.example',
        jsonb_build_object('plan', CASE i % 2 WHEN 0 THEN 'pro' ELSE 'free' END), c.id,
        CAST(:now AS timestamptz) - i * interval '1 s', :now, :now, :now
    FROM generate_series(1, :contacts) i
        JOIN companies c ON c.org_id = :org AND c.external_id = 'c' || (i / 10)
    """,
    """
    INSERT INTO subscription_members (org_id, end_user_id, subscription_id, subscribed_at)
    SELECT c.org_id, c.id, s.id, :now
    FROM end_users c JOIN subscriptions s ON s.org_id = c.org_id WHERE c.org_id = :org
    """,
    """
    INSERT INTO suppressions (org_id, address, bounced_at)
    SELECT org_id, address, :now FROM end_users
    WHERE org_id = :org AND right(external_id, 1) = '1'
    """,
    """
    INSERT INTO events (org_id, end_user_id, name, happened_at, created_at, live)
    SELECT org_id, id, event, :now, :now, true
    FROM end_users, unnest(ARRAY['login', 'used']) AS fired (event) WHERE org_id = :org
    """,
    """
    INSERT INTO event_counts (org_id, end_user_id, name, count, first_at, last_at, live_at, live_id)
    SELECT org_id, end_user_id, name, 1, happened_at, happened_at, happened_at, id
    FROM events WHERE org_id = :org
    """,
    """
    INSERT INTO automation_enrollments (org_id, automation_id, end_user_id, number, created_at,
        company_seat)
    SELECT c.org_id, a.id, c.id, 1, :now, CASE a.key WHEN 'seats' THEN c.company_id END
    FROM end_users c JOIN automations a ON a.org_id = c.org_id
    WHERE c.org_id = :org AND a.key IN ('big', 'gates', 'list', 'seats')
        AND (a.key <> 'seats' OR right(c.external_id, 1) = '0')
    """,
    """
    INSERT INTO automation_recipients (org_id, automation_id, step_id, end_user_id,
        enrollment_number, scheduled_for, created_at)
    SELECT e.org_id, e.automation_id, s.id, e.end_user_id, 1,
        CAST(:now AS timestamptz) + e.id % 1000 * interval '1 s', :now
    FROM automation_enrollments e JOIN automation_steps s
        ON s.org_id = e.org_id AND s.automation_id = e.automation_id AND s.position = e.id % 3
    WHERE e.org_id = :org
    """,
    """
    INSERT INTO messages (org_id, recipient_id, end_user_id, automation_id, enrollment_number,
        step_id, state, message_id, to_address, intended_at, sent_at)
    SELECT r.org_id, r.id, r.end_user_id, r.automation_id, 1, r.step_id, 'sent',
        '<' || r.id || '@a.example>', 'u@a.example', :now, :now
    FROM automation_recipients r JOIN automations a
        ON a.org_id = r.org_id AND a.id = r.automation_id
    WHERE r.org_id = :org AND a.key = 'gates'
    """,
    "DELETE FROM signals WHERE org_id = :org",
)
_OVER = (
    "UPDATE automation_recipients SET status = 'completed', finished_at = :now WHERE org_id = :org",
    (
        "UPDATE automation_enrollments SET ended_at = :now, exit_reason = 'completed' "
        "WHERE org_id = :org"
    ),
)
_PRO = [{"field": "plan", "operator": "is", "value": "pro"}]
_HAS_TIER = [
    {"field": "company.custom:tier", "operator": "gte", "value": 0},
    {"field": "event:login", "operator": "gte", "value": 1, "within": "30d"},
    {"field": "name", "operator": "is_empty"},
    {"field": "list:news", "operator": "is", "value": True},
    {"field": "series:gates", "operator": "is_not", "value": "exited"},
]
_EMAILS = [{**EMAIL, "key": f"email{number}"} for number in range(3)]
_SERIES: dict[str, dict[str, Any]] = {
    "big": {
        "entry_trigger": "segment_match",
        "audience_type": "segment",
        "audience_filters": _PRO,
        "settings": {
            "exit_rules": ["segment_leave", "event", "replied", "filter_match"],
            "exit_event_name": "paid",
            "exit_filters": [{"field": "company.name", "operator": "is", "value": "nobody"}],
            "goal_enabled": True,
            "goal_filters": [{"field": "event:used", "operator": "gte", "value": 1}],
            "reenroll_enabled": True,
        },
        "steps": _EMAILS,
    },
    "gates": {
        "entry_trigger": "event",
        "settings": {"entry_event_name": "login", "reenroll_enabled": True},
        "steps": [
            {"key": "opened", "condition": {"type": "email_opened"}},
            {"key": "clicked", "condition": {"type": "link_clicked"}},
            {"key": "fired", "condition": {"type": "event_fired", "value": "used"}},
        ],
    },
    "list": {
        "audience_type": "subscription",
        "subscription": "news",
        "settings": {"exit_rules": ["unsubscribed"]},
        "steps": _EMAILS,
    },
    "seats": {
        "entry_trigger": "segment_match",
        "audience_type": "segment",
        "audience_filters": _HAS_TIER,
        "settings": {
            "one_per_company": True,
            "one_per_address": True,
            "exit_rules": ["segment_leave"],
        },
        "steps": _EMAILS,
    },
    "open": {
        "entry_trigger": "segment_match",
        "audience_type": "segment",
        "audience_filters": _PRO,
    },
}


def never_analyzed(database: Engine, contacts: int) -> Sandbox:
    """Return an organisation whose rows came right after ``halo migrate``."""
    _stop_autovacuum(database)
    return _organization(database, "young", contacts)


def analyzed_before(database: Engine, contacts: int) -> Sandbox:
    """Return an organisation created after the statistics were taken of a small, finished one."""
    _stop_autovacuum(database)
    old = _organization(database, "old", 300)
    _run(old, _OVER)
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    return _organization(database, "young", contacts)


def _organization(database: Engine, key: str, contacts: int) -> Sandbox:
    sandbox = new_sandbox(database, key)
    _run(
        sandbox, ["INSERT INTO subscriptions (org_id, key, created_at) VALUES (:org, 'news', :now)"]
    )
    for name, definition in _SERIES.items():
        sandbox.series(name, **definition)
    _run(sandbox, _ROWS, contacts=contacts)
    return sandbox


def _run(sandbox: Sandbox, statements: list[str] | tuple[str, ...], **values: object) -> None:
    named = {"org": sandbox.org_id, "now": NOON, **values}
    for statement in statements:
        # A new session each time: it has cached no plan for smaller tables.
        sandbox.database.dispose()
        with sandbox.database.begin() as connection:
            given = {name: named[name] for name in named if f":{name}" in statement}
            connection.execute(text(statement), given)


#: Partitions, but not the tables that are made of them: those have no rows of their own.
_TABLES = text(
    "SELECT relname FROM pg_class WHERE relkind = 'r' "
    "AND relnamespace = CAST(current_schema() AS regnamespace)"
)


def _stop_autovacuum(database: Engine) -> None:
    with database.begin() as connection:
        for table in connection.scalars(_TABLES).all():
            connection.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = off)"))
