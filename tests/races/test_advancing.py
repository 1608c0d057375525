"""Due rows while their contacts leave, other workers tick, and the series is saved (§5, §6, §9)."""

from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import text

from halo_engine.contacts.consent.lists import UnsubscribeCall, unsubscribe
from halo_engine.contacts.consent.suppression import BounceCall, bounce
from halo_engine.domain.errors import Refusal
from halo_engine.journey.removal import remove
from halo_engine.mail.incoming.events import MailCall, reply_to_mail
from halo_engine.series.lifecycle import find_series
from tests.races.ground import users
from tests.races.rounds import EMAIL, ENTERED, LATER, OPEN, PRO, Race, Round
from tests.races.track import Track

#: What a worker did: begun re-evaluations, and rows finished, with the state that they had.
_LOG = """
    CREATE TABLE log (org_id uuid, what text);
    CREATE FUNCTION log_signal() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO log VALUES (NEW.org_id, NEW.kind); RETURN NEW; END $$;
    CREATE FUNCTION log_row() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO log VALUES (NEW.org_id, NEW.id || ' ended'); RETURN NEW; END $$;
    CREATE TRIGGER signals_logged AFTER INSERT ON signals
    FOR EACH ROW EXECUTE FUNCTION log_signal();
    CREATE TRIGGER rows_logged AFTER UPDATE ON automation_recipients
    FOR EACH ROW WHEN (NEW.finished_at IS NOT NULL) EXECUTE FUNCTION log_row();
"""


#: Who leaves in which way, of those who stand at a mail that is due.
WAYS = ("off the list", "no more mail", "bounced", "told", "replied", "removed")
ACTIVE_RUNS = """
    SELECT end_user_id FROM automation_enrollments WHERE org_id = :org AND ended_at IS NULL
    ORDER BY 1"""
ACTIVE_ROWS = """
    SELECT end_user_id FROM automation_recipients WHERE org_id = :org
    AND status IN ('pending', 'processing') ORDER BY 1"""

#: Rows of the first three that nobody leases, and for which no mail was begun.
UNLEASED = """
    SELECT r.id FROM automation_recipients r
    JOIN end_users c ON c.org_id = r.org_id AND c.id = r.end_user_id
    WHERE r.org_id = :org AND r.status = 'pending'
    AND c.external_id IN ('off the list', 'no more mail', 'bounced')"""
_EARLIER_MAIL = text("""
    WITH row AS (
        INSERT INTO automation_recipients (org_id, automation_id, step_id, end_user_id,
            enrollment_number, status, scheduled_for, created_at, finished_at)
        SELECT r.org_id, r.automation_id, s.id, r.end_user_id, 1, 'completed', r.created_at,
            r.created_at, r.created_at
        FROM automation_recipients r
        JOIN automation_steps s ON s.org_id = r.org_id AND s.key = 'first'
        JOIN end_users c ON c.org_id = r.org_id AND c.id = r.end_user_id
        WHERE c.external_id = 'replied' RETURNING *)
    INSERT INTO messages (org_id, recipient_id, end_user_id, automation_id, enrollment_number,
        step_id, state, message_id, to_address, intended_at, sent_at)
    SELECT org_id, id, end_user_id, automation_id, 1, step_id, 'sent', '<earlier@a.example>',
        'replied@a.example', created_at, created_at FROM row
""")


def test_no_mail_follows_an_exit(track: Track) -> None:
    """Contacts leave in six ways while their email is due: each run ends once. No email is begun
    after the exit is known, nor for a row that was not leased when the address was removed.
    """
    news = {
        "entry_trigger": "event",
        "audience_type": "subscription",
        "subscription": "news",
        "settings": {
            "entry_event_name": "in",
            "exit_rules": ["unsubscribed", "replied", "event"],
            "exit_event_name": "out",
        },
        "steps": [{**EMAIL, "key": "first"}, EMAIL, LATER],
    }
    race = Race(track, users(*WAYS), {"news": news}, lists=["news"])
    race.place("news", "hi", *WAYS)
    with track.database.begin() as connection:
        connection.execute(_EARLIER_MAIL)
        connection.execute(
            text(
                "INSERT INTO subscription_members (org_id, end_user_id, subscription_id, "
                "subscribed_at) SELECT c.org_id, c.id, s.id, s.created_at FROM end_users c "
                "JOIN subscriptions s ON s.org_id = c.org_id"
            )
        )
    people = dict(race.first.read("SELECT external_id, id FROM end_users"))

    def left(each: Round) -> tuple[Any, Any]:
        each.perform(partial(unsubscribe, call=UnsubscribeCall(contact=WAYS[0], list="news")))
        each.perform(partial(unsubscribe, call=UnsubscribeCall(contact=WAYS[1])))
        each.perform(partial(bounce, call=BounceCall(contact=WAYS[2])))
        unleased = each.read(UNLEASED)
        each.perform(partial(reply_to_mail, call=MailCall(message_id="<earlier@a.example>")))
        each.tell(["told"], "out")
        with suppress(Refusal):
            each.perform(lambda work: remove(work, people["removed"], find_series(work, "news")))
        return unleased, each.messages

    for each, ((unleased, begun), _) in race.rounds(left, Round.tick):
        assert each.messages == begun
        assert not {*unleased} & {*begun}
    is_in = "SELECT org_id, end_user_id FROM automation_enrollments WHERE ended_at IS NULL"
    race.judge({"nobody is in it": is_in})


def test_two_ticks_do_everything_once(track: Track) -> None:
    """Two workers tick at once: one pass of re-evaluation for an instant of the cron, each due row
    finished once, each mail sent once.
    """
    segment = {"entry_trigger": "segment_match", "audience_type": "segment"}
    people = {**users("old", plan="free"), **users("new", plan="pro")}
    definition = {**segment, "audience_filters": [PRO], "steps": [EMAIL, LATER]}
    race = Race(track, people, {"pro": definition})
    with track.database.begin() as connection:
        connection.execute(text("DELETE FROM signals"))
        connection.execute(text(_LOG))
    race.place("pro", "hi", "old")
    race.play(Round.tick, Round.tick)
    race.judge(
        {
            "one pass": """
                SELECT o.id, count(log.what) FROM organizations o
                LEFT JOIN log ON log.org_id = o.id AND log.what = 'reevaluated'
                GROUP BY o.id HAVING count(log.what) <> 1""",
            "a row is finished once": """
                SELECT org_id, what FROM log WHERE what LIKE '%ended'
                GROUP BY org_id, what HAVING count(*) > 1""",
            "both were mailed": """
                SELECT o.id, count(m.recipient_id) FROM organizations o
                LEFT JOIN messages m ON m.org_id = o.id AND m.state = 'sent'
                GROUP BY o.id HAVING count(m.recipient_id) <> 2""",
        }
    )


def test_nobody_is_stuck_in_a_series_that_is_edited(track: Track) -> None:
    """Steps are removed, moved and restored while rows at them are due: two days later all runs
    have ended.
    """
    other = {**OPEN, "key": "other"}
    steps = [OPEN, EMAIL, other, LATER]
    people = users("open", "hi", "other", "later", plan="pro")
    race = Race(track, people, {"one": {**ENTERED, "steps": steps}})
    for name in people:
        race.place("one", name, name)

    def edited(each: Round) -> None:
        each.save("one", {**ENTERED, "steps": [LATER, other]})
        each.save("one", {**ENTERED, "steps": [other, EMAIL, LATER]})

    for each, _ in race.rounds(edited, Round.tick):
        assert each.read(ACTIVE_ROWS) == each.read(ACTIVE_RUNS)
        each.pass_time(timedelta(days=2))
        each.settle()
    race.judge(
        {
            "all are through": """
                SELECT org_id, format('%s: %s', end_user_id, exit_reason)
                FROM automation_enrollments WHERE exit_reason IS DISTINCT FROM 'completed'"""
        }
    )
