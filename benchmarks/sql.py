"""SQL written by hand: statements that fill the tables, and the floors, which do the least that is
possible.

``%(org)s`` is the organisation's id. No floor checks a guard; each writes the rows that the engine
writes, into the same tables with the same constraints and indexes.
"""

from typing import Final

#: Contacts of one company.
SEATS: Final = 5

ORGANIZATION: Final = """
INSERT INTO organizations (key, name, widget_key, reevaluate_cron, created_at, reevaluated_at)
VALUES (%(key)s, %(key)s, %(key)s, '0 0 1 1 *', now(), now())
"""

#: Half are on plan `pro`, a fifth are owners, independently: a tenth are both.
FILL: Final = (
    """
    INSERT INTO companies (org_id, external_id, name, created_at, updated_at)
    SELECT %(org)s, 'c' || i, 'Company ' || i, now() - interval '3 years', now()
    FROM generate_series(0, %(companies)s) i
    """,
    f"""
    INSERT INTO end_users (org_id, external_id, source, email, name, company_id, custom_fields,
                           created_at, updated_at, first_seen, last_seen)
    SELECT %(org)s, 'u' || i, 'sdk', 'u' || i || '@acme.example', 'User ' || i, c.id,
           jsonb_build_object(
               'plan', CASE WHEN abs(hashint4(i)) %% 2 = 0 THEN 'pro' ELSE 'free' END,
               'role', CASE WHEN abs(hashint4(i + 500000000)) %% 5 = 0 THEN 'owner'
                            ELSE 'member' END,
               'country', 'k' || i %% 20,
               'score', i %% 1000,
               'consent', 'yes'),
           now() - interval '2 years' + i * interval '30 seconds',
           now(), now() - interval '1 year', now()
    FROM generate_series(1, %(contacts)s) i
    JOIN companies c ON c.org_id = %(org)s AND c.external_id = 'c' || i / {SEATS}
    ORDER BY i
    """,
)

CLEAR: Final = """
TRUNCATE automation_recipients, automation_enrollments, enrollment_refusals, messages,
  bounce_reports, followed_links, signals
"""

#: W1: enrollments and first recipients of everybody who matches.
ENROLL: Final = """
WITH enrolled AS (
    INSERT INTO automation_enrollments (org_id, automation_id, end_user_id, number, created_at)
    SELECT org_id, %(series)s, id, 1, now() FROM end_users
    WHERE org_id = %(org)s
      AND custom_fields ->> 'role' = 'owner' AND custom_fields ->> 'plan' = 'pro'
    RETURNING end_user_id
)
INSERT INTO automation_recipients
    (org_id, automation_id, step_id, end_user_id, enrollment_number, scheduled_for, created_at)
SELECT %(org)s, %(series)s, s.id, e.end_user_id, 1, now() + interval '1 day', now()
FROM enrolled e, automation_steps s
WHERE s.org_id = %(org)s AND s.automation_id = %(series)s
"""

#: W1: the same, the first of each company.
ENROLL_SEATS: Final = """
WITH first AS (
    SELECT DISTINCT ON (company_id) id, company_id FROM end_users
    WHERE org_id = %(org)s
      AND custom_fields ->> 'role' = 'owner' AND custom_fields ->> 'plan' = 'pro'
    ORDER BY company_id, created_at, id
), enrolled AS (
    INSERT INTO automation_enrollments
        (org_id, automation_id, end_user_id, number, company_seat, created_at)
    SELECT %(org)s, %(series)s, id, 1, company_id, now() FROM first
    RETURNING end_user_id
)
INSERT INTO automation_recipients
    (org_id, automation_id, step_id, end_user_id, enrollment_number, scheduled_for, created_at)
SELECT %(org)s, %(series)s, s.id, e.end_user_id, 1, now() + interval '1 day', now()
FROM enrolled e, automation_steps s
WHERE s.org_id = %(org)s AND s.automation_id = %(series)s
"""

#: The contents of a series as numbers, to compare what two sides wrote. Each table is read on its
#: own, since a join of tables that are not analysed yet may be a nested loop.
FINGERPRINT: Final = """
SELECT enrolled.*, written.*
FROM (SELECT count(*), sum(hashtextextended(end_user_id::text || number, 0))
      FROM automation_enrollments WHERE org_id = %(org)s) AS enrolled,
     (SELECT count(*), sum(hashtextextended(end_user_id::text || enrollment_number || status, 0))
      FROM automation_recipients WHERE org_id = %(org)s) AS written
"""

#: W2: runs that have reached the first step of their series an hour ago, spread over the series.
DUE: Final = (
    """
    INSERT INTO automation_enrollments (org_id, automation_id, end_user_id, number, created_at)
    SELECT %(org)s, (%(series)s::uuid[])[1 + (row_number() OVER ()) %% cardinality(%(series)s)],
           id, 1, now() - interval '2 hours'
    FROM (SELECT id FROM end_users WHERE org_id = %(org)s ORDER BY created_at, id
          LIMIT %(due)s) AS chosen
    """,
    """
    INSERT INTO automation_recipients (org_id, automation_id, step_id, end_user_id,
                                       enrollment_number, scheduled_for, created_at)
    SELECT e.org_id, e.automation_id, s.id, e.end_user_id, 1,
           now() - interval '1 hour' - e.id %% 1000 * interval '1 second',
           now() - interval '2 hours'
    FROM automation_enrollments e JOIN automation_steps s
      ON s.org_id = e.org_id AND s.automation_id = e.automation_id AND s.position = 0
    WHERE e.org_id = %(org)s
    """,
)

ADVANCE: Final = """
WITH done AS (
    UPDATE automation_recipients SET status = 'completed', finished_at = now()
    WHERE org_id = %(org)s AND status = 'pending' AND scheduled_for <= now()
    RETURNING automation_id, end_user_id, enrollment_number
)
INSERT INTO automation_recipients
    (org_id, automation_id, step_id, end_user_id, enrollment_number, scheduled_for, created_at)
SELECT %(org)s, d.automation_id, s.id, d.end_user_id, d.enrollment_number,
       now() + interval '1 day', now()
FROM done d JOIN automation_steps s
  ON s.org_id = %(org)s AND s.automation_id = d.automation_id AND s.position = 1
"""

#: W3: the least that writing a contact can cost. Bound by name, prepared by the driver.
UPSERT: Final = """
INSERT INTO end_users (org_id, external_id, source, email, name, custom_fields,
                       created_at, updated_at, first_seen, last_seen)
VALUES (%(org)s, %(external_id)s, 'sdk', %(email)s, %(name)s, %(custom)s,
        now(), now(), now(), now())
ON CONFLICT (org_id, external_id) DO UPDATE
SET email = excluded.email, name = excluded.name,
    custom_fields = end_users.custom_fields || excluded.custom_fields,
    updated_at = now(), last_seen = now()
"""

#: W4, W5: the plan of some random contacts has changed to `pro`; signals say so.
CHANGE_PLANS: Final = (
    """
    CREATE TABLE IF NOT EXISTS bench_changed AS
    SELECT id, row_number() OVER (ORDER BY created_at, id) AS place
    FROM (SELECT id, created_at FROM end_users WHERE org_id = %(org)s
          ORDER BY hashtextextended(external_id, 0) LIMIT %(changed)s) AS chosen
    """,
    """
    UPDATE end_users SET custom_fields = custom_fields || '{"plan": "pro"}'
    WHERE org_id = %(org)s AND id IN (SELECT id FROM bench_changed)
    """,
)
SIGNAL_CHANGES: Final = """
INSERT INTO signals (org_id, kind, end_user_id, changed, happened_at, created_at)
SELECT %(org)s, 'changed', id, ARRAY['custom:plan'], now(), now() FROM bench_changed ORDER BY place
"""

#: W7: the WHERE of the engine's own count.
COUNT: Final = """
SELECT count(*) FROM end_users c
WHERE c.org_id = %(org)s AND c.custom_fields ->> 'role' = 'owner'
  AND c.custom_fields ->> 'plan' = 'pro'
  AND NOT EXISTS (SELECT FROM suppressions s WHERE s.org_id = c.org_id AND s.address = c.address)
"""
COUNT_FOUR: Final = """
SELECT count(*) FROM end_users c
WHERE c.org_id = %(org)s AND c.custom_fields ->> 'role' = 'owner'
  AND c.custom_fields ->> 'plan' = 'pro' AND c.custom_fields ->> 'country' = 'k1'
  AND c.email ILIKE '%%acme%%'
  AND NOT EXISTS (SELECT FROM suppressions s WHERE s.org_id = c.org_id AND s.address = c.address)
"""

#: W9: what marketing needs, and how many emails were sent and their rows finished.
MAY_SEND: Final = """
UPDATE organizations SET verified_domain = true, company_footer = 'Acme Inc, 1 Main Street'
WHERE id = %(org)s
"""
MAILED: Final = """
SELECT count(*) FROM automation_recipients r JOIN messages m
  ON m.org_id = r.org_id AND m.recipient_id = r.id
WHERE r.org_id = %(org)s AND r.status = 'completed' AND m.state = 'sent'
"""

#: Two caps that nobody reaches: what is measured is what asking costs.
CAPS = """
    UPDATE organizations SET frequency_caps = '[{"at_most": 50, "within": "24h"},
        {"at_most": 100, "within": "7d"}]' WHERE id = %(org)s"""

#: One of eight zones for each contact; one of them is none.
ZONES = """
    UPDATE end_users SET custom_fields = custom_fields || jsonb_build_object('timezone',
        (ARRAY['Europe/Berlin', 'America/New_York', 'Asia/Tokyo', 'Asia/Calcutta', 'Mars/Base',
        'Australia/Lord_Howe', 'Africa/Casablanca', 'America/Vancouver'])[1 + (ctid::text::point)[1]
        ::int %% 8]) WHERE org_id = %(org)s"""
