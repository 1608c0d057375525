"""Old mails are deleted; links in them, counts of them and rules about them stay (contract §24)."""

from datetime import datetime, timedelta
from typing import Any, Final

import pytest
from sqlalchemy import func, select, update

from halo_engine.answers.explain.runs import run_story
from halo_engine.answers.operations.status import status
from halo_engine.answers.reports.failures import failures
from halo_engine.answers.reports.funnel import Funnel, funnel
from halo_engine.answers.reports.overview import count_some
from halo_engine.contacts.consent.erasure import EraseContactCall, erase_contact
from halo_engine.contacts.consent.lists import SubscribeCall, subscribe
from halo_engine.contacts.consent.subscriptions import create_list
from halo_engine.contacts.consent.suppression import ComplaintCall
from halo_engine.contacts.finding import find_contacts
from halo_engine.domain.bounce_reasons import BounceReason
from halo_engine.domain.errors import Refusal
from halo_engine.domain.mail_tokens import Purpose
from halo_engine.mail.incoming.bounce_reports import note_bounces
from halo_engine.mail.incoming.complaints import complain
from halo_engine.mail.incoming.events import MailCall, ReadMailCall, open_mail, reply_to_mail
from halo_engine.mail.incoming.links import (
    click_by_link,
    look_at_link,
    unsubscribe_by_link,
)
from halo_engine.mail.incoming.preferences import ChooseCall, choose, look_at_preferences
from halo_engine.mail.reading.bounces import Bounce
from halo_engine.mail.transports.recording import Sent
from halo_engine.mail.transports.transports import About
from halo_engine.restoring.fates import Fate, fates_of
from halo_engine.series.lifecycle import find_series
from halo_engine.tables import (
    automation_enrollments,
    end_users,
    messages,
    organizations,
    suppressions,
)
from halo_engine.work import Work
from tests.pipeline.sandbox import EMAIL, NOON, Sandbox
from tests.retention.years import DAY, cap, fire, keep, links_to, sweep, user

BY_EVENT: Final[dict[str, Any]] = {
    "entry_trigger": "event",
    "settings": {"entry_event_name": "login"},
}
OPENED: Final = ReadMailCall(contact="ann", series="welcome", step="hi")


def mailed(sandbox: Sandbox, **definition: Any) -> None:
    """Send ann a mail of ``welcome``, which she opens."""
    sandbox.series("welcome", **definition)
    user(sandbox, "ann")
    sandbox.settle()
    sandbox.perform(lambda work: open_mail(work, OPENED))
    sandbox.settle()


def forget(sandbox: Sandbox) -> None:
    """Let two years pass, after which no mail of a run that ended is left."""
    sandbox.now += 732 * DAY
    sweep(sandbox, limit=1)
    assert sandbox.count(messages) == 0


def counted(sandbox: Sandbox, version: int | None = None) -> Funnel:
    """Return the funnel of ``welcome``."""
    return sandbox.perform(lambda work: funnel(work, find_series(work, "welcome"), version))


def test_a_mail_stays_while_its_run_or_a_later_one_of_the_series_goes_on(sandbox: Sandbox) -> None:
    """A condition asks for mails of its run, and a reply to a mail of the run before ends it."""
    keep(sandbox, mails="92d")
    opened = {"key": "gate", "delay": "300d", "condition": {"type": "email_opened"}}
    again = {"reenroll_enabled": True, "exit_rules": ["replied"], **BY_EVENT["settings"]}
    steps = [EMAIL, opened, {**EMAIL, "key": "last"}]
    sandbox.series("welcome", steps=steps, entry_trigger="event", settings=again)
    user(sandbox, "ann")
    fire(sandbox, "ann", "login")
    sandbox.settle()
    sandbox.perform(lambda work: open_mail(work, OPENED))
    sandbox.now += 299 * DAY
    assert sweep(sandbox) == 0
    sandbox.tick(DAY)
    assert [mail["Subject"] for mail in sandbox.transport.sent] == ["Hi", "Hi"]
    fire(sandbox, "ann", "login")
    sandbox.now += 100 * DAY
    sandbox.settle()
    assert sweep(sandbox) == 0
    [first, *_] = sandbox.perform(
        lambda work: list(
            work.connection.scalars(
                select(messages.c.message_id)
                .where(messages.c.org_id == work.org_id)
                .order_by(messages.c.recipient_id)
            )
        )
    )
    sandbox.perform(lambda work: reply_to_mail(work, MailCall(message_id=first)))
    sandbox.settle()
    replied = automation_enrollments.c.exit_reason == "replied"
    assert sandbox.count(automation_enrollments, replied) == 1
    sandbox.now += DAY
    assert sweep(sandbox) == 2


def test_a_young_mail_whose_row_waited_for_long_hides_no_old_one(sandbox: Sandbox) -> None:
    """Mails are walked through in order of their rows, some of which wait for months."""
    keep(sandbox, mails="92d")
    sandbox.series("slow", steps=[{**EMAIL, "delay": "90d"}])
    user(sandbox, "ann")
    sandbox.settle()
    sandbox.series("quick", entry_trigger="event", settings=BY_EVENT["settings"])
    fire(sandbox, "ann", "login")
    sandbox.settle()
    sandbox.tick(90 * DAY)
    sandbox.now += 3 * DAY
    assert sandbox.count(messages) == 2
    assert sweep(sandbox, limit=1) == 1
    assert sandbox.count(messages, messages.c.sent_at == NOON + 90 * DAY) == 1


def test_mails_of_a_contact_that_somebody_has_locked_wait_for_the_next_time(
    sandbox: Sandbox,
) -> None:
    """Their readers' rows refer to the contact: a deletion that waited could wait for an erasure
    that waits for it.
    """
    mailed(sandbox)
    sandbox.now += 732 * DAY
    with sandbox.database.connect() as erasing:
        whose = select(end_users.c.id).where(end_users.c.org_id == sandbox.org_id)
        erasing.execute(whose.with_for_update())
        assert sweep(sandbox) == 1, "the step of the run"
    assert sandbox.count(messages) == 1
    sandbox.now += DAY
    assert sweep(sandbox) == 1


def test_a_link_in_a_deleted_mail_still_unsubscribes(sandbox: Sandbox) -> None:
    """At the address that it went to too; the preference page and its choices work as before."""
    sandbox.perform(lambda work: create_list(work, "news"))
    mailed(sandbox)
    sandbox.perform(lambda work: subscribe(work, SubscribeCall(contact="ann", list="news")))
    user(sandbox, "ann", email="new@a.example")
    forget(sandbox)

    def follow(work: Work) -> tuple[Any, ...]:
        [leave] = links_to(work, "ann", Purpose.UNSUBSCRIBE)
        [click] = links_to(work, "ann", Purpose.CLICK, b"https://a.example/x")
        looked = look_at_link(work, leave)
        topics = look_at_preferences(work, leave).topics
        left = choose(work, ChooseCall(token=leave.token)).left
        joined = choose(work, ChooseCall(token=leave.token, lists=("news",))).joined
        clicked = click_by_link(work, click)
        assert unsubscribe_by_link(work, leave).id is not None
        return (
            (looked.address, looked.done, look_at_link(work, leave).done),
            ([topic.list for topic in topics], left, joined),
            (clicked.id, clicked.url),
            set(work.connection.scalars(_suppressed(work))),
        )

    assert sandbox.perform(follow) == (
        ("ann@a.example", False, True),
        (["news"], ("news",), ("news",)),
        (None, "https://a.example/x"),
        {"ann@a.example", "new@a.example"},
    )


def _suppressed(work: Work) -> Any:
    return select(suppressions.c.address).where(suppressions.c.org_id == work.org_id)


def test_an_erasure_finds_the_addresses_of_deleted_mails(sandbox: Sandbox) -> None:
    """A suppression of an address that ann had years ago goes with her."""
    mailed(sandbox)
    forget(sandbox)

    def leave(work: Work) -> None:
        [link] = links_to(work, "ann", Purpose.UNSUBSCRIBE)
        unsubscribe_by_link(work, link)

    sandbox.perform(leave)
    user(sandbox, "ann", email="new@a.example")
    sandbox.perform(lambda work: erase_contact(work, EraseContactCall(contact="ann")))
    assert sandbox.count(suppressions) == 0
    assert sandbox.perform(lambda work: links_to(work, "ann", Purpose.OPEN)) == []


def test_mails_that_came_back_stay_since_reports_add_up_over_years(sandbox: Sandbox) -> None:
    """The fifth report of a full mailbox suppresses the address, whenever the others came."""
    mailed(sandbox)
    for _ in range(4):
        sandbox.perform(_report_full)
    sandbox.now += 2_000 * DAY
    assert sweep(sandbox) == 1, "the step of the run"
    sandbox.series("again", **BY_EVENT)
    fire(sandbox, "ann", "login")
    sandbox.settle()
    assert sandbox.count(suppressions) == 0
    sandbox.perform(_report_full)
    assert sandbox.count(suppressions) == 1
    assert counted(sandbox).bounces == {BounceReason.MAILBOX_FULL: 4}


def _report_full(work: Work) -> None:
    latest = select(func.max(messages.c.recipient_id)).where(messages.c.org_id == work.org_id)
    full = Bounce(for_good=False, reason=BounceReason.MAILBOX_FULL)
    note_bounces(work, {work.connection.scalars(latest).one(): full})


def test_counts_of_a_step_stay_what_they_were(sandbox: Sandbox) -> None:
    """But for the mails of one version: its funnel says from when on they are counted."""
    keep(sandbox, steps="forever")
    mailed(sandbox)
    user(sandbox, "bob")
    sandbox.settle()
    before = counted(sandbox)
    [sent] = sandbox.perform(lambda work: count_some(work, ["welcome"]))
    forget(sandbox)
    assert counted(sandbox) == before
    assert (before.steps[0].sent, before.steps[0].opened, sent.sent) == (2, 1, 2)
    assert sandbox.perform(lambda work: count_some(work, ["welcome"])) == [sent]
    of_version = counted(sandbox, 1)
    since = sandbox.now - 731 * DAY
    assert (of_version.steps[0].sent, of_version.complete_since) == (0, since)


def test_answers_say_since_when_mails_are_there(sandbox: Sandbox) -> None:
    """A run that ended, failed mails, and calls that name a mail that is gone."""
    keep(sandbox, steps="forever")
    mailed(sandbox)
    forget(sandbox)
    since = sandbox.now - 731 * DAY

    def told(work: Work) -> tuple[Any, ...]:
        [ann] = find_contacts(work, ["ann"])
        series = find_series(work, "welcome")
        story = run_story(work, series, ann, "ann")
        return story.runs[0].steps[0].mail, story.complete_since, failures(work, series)

    mail, story_since, page = sandbox.perform(told)
    assert (mail, story_since) == (None, since)
    assert (page.failures, page.complete_since) == ((), since)
    older = f" Mails from before {since:%Y-%m-%d} are not kept."
    with pytest.raises(Refusal, match=f"was sent to ‘ann’.{older}"):
        sandbox.perform(lambda work: open_mail(work, OPENED))
    with pytest.raises(Refusal, match=f"There is no mail ‘<a@b>’.{older}"):
        sandbox.perform(lambda work: complain(work, ComplaintCall(message_id="<a@b>")))


def test_a_restored_database_knows_mails_that_were_deleted(sandbox: Sandbox) -> None:
    """A list of sent mails that reaches further back than the log has nothing to send again."""
    mailed(sandbox)
    about = sandbox.perform(_about_mail)
    forget(sandbox)
    sent = [Sent("<a@b>", NOON, about)]
    assert sandbox.perform(lambda work: fates_of(work.connection, sent)) == [Fate.KNOWN]


def _about_mail(work: Work) -> About:
    names = ("recipient_id", "end_user_id", "automation_id", "enrollment_number", "step_id")
    found = select(*(messages.c[name] for name in names)).where(messages.c.org_id == work.org_id)
    row, contact, series, number, step = work.connection.execute(found).one()
    return About(work.org_id, row, contact, series, number, step)


def test_caps_and_how_long_mails_are_kept_go_together(sandbox: Sandbox) -> None:
    """Neither is changed to what the other does not hold; what was deleted is not back."""
    keep(sandbox, mails="92d")
    with pytest.raises(Refusal) as refused:
        cap(sandbox, "24h", "93d")
    assert (refused.value.status, refused.value.code) == (400, "longer_than_kept")
    assert refused.value.message == (
        "frequency_caps[1].within: ‘93d’ is longer than mails are kept; allowed are spans up to 92d"
    )
    keep(sandbox, mails="100d")
    cap(sandbox, "24h", "93d")
    with pytest.raises(Refusal, match=r"^keeps\.mails: ‘92d’ is too short: frequency caps") as e:
        keep(sandbox, mails="92d", audit="40d")
    assert (e.value.status, e.value.code) == (409, "counted_longer")
    mailed(sandbox)
    sandbox.now += 101 * DAY
    assert sweep(sandbox) == 1
    keep(sandbox, mails="forever")
    cap(sandbox, "24h", "93d")
    with pytest.raises(Refusal, match=r"and those since 2026-06-02 are there; allowed .+ 100d"):
        cap(sandbox, "101d")


def test_mails_that_a_cap_counts_stay_whoever_set_it(sandbox: Sandbox) -> None:
    """The version before knows nothing of how long mails are kept, and sets a longer cap."""
    keep(sandbox, mails="92d")
    mailed(sandbox)
    year = [{"at_most": 1, "within": "366d"}]
    sandbox.perform(
        lambda work: work.connection.execute(
            update(organizations)
            .where(organizations.c.id == work.org_id)
            .values(frequency_caps=year)
        )
    )
    sandbox.now += 366 * DAY
    assert sweep(sandbox) == 0
    sandbox.now += DAY + timedelta(microseconds=1)
    assert sweep(sandbox) == 2, "the mail, and the step of its run"


def test_status_says_from_when_on_mails_are_complete_where_it_counts_older_ones(
    sandbox: Sandbox,
) -> None:
    """Failed mails of three years are asked for, of which those of the last two are kept."""
    mailed(sandbox)
    forget(sandbox)

    def since(back: timedelta) -> datetime | None:
        return sandbox.perform(lambda work: status(work, since=back)).complete_since

    assert since(1096 * DAY) == sandbox.now - 731 * DAY
    assert since(731 * DAY) is None
