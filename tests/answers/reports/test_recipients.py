"""The recipients of a series, page by page (contract §1)."""

from halo_engine.answers.reports.recipients import Recipient, recipients
from halo_engine.domain.reasons import Status
from tests.answers.sandbox import Sandbox


def read(sandbox: Sandbox, status: Status | None = None) -> list[tuple[str, str, Status]]:
    """Return contact, step and status of each recipient, the latest first."""
    page = recipients(sandbox.work, sandbox.saved(), status=status)
    return [(each.contact, each.step, each.status) for each in page.items]


def test_a_recipient_says_where_it_stands_and_why(sandbox: Sandbox) -> None:
    """A recipient that left has its exit reason; one that waits has its instant."""
    sandbox.add("ann", "bob")
    sandbox.series(entry_trigger="manual")
    sandbox.end("bob")
    waiting, left = sorted(
        recipients(sandbox.work, sandbox.saved()).items, key=lambda each: each.contact
    )
    assert waiting == Recipient(
        id=waiting.id,
        contact_id=sandbox.ids["ann"],
        contact="ann",
        email="ann@a.example",
        step="hello",
        number=1,
        status=Status.PENDING,
        reason=None,
        exit_reason=None,
        created_at=sandbox.work.now,
        scheduled_for=sandbox.work.now,
        finished_at=None,
    )
    assert (left.status, left.exit_reason, left.finished_at) == (
        "exited",
        "manual",
        sandbox.work.now,
    )


def test_only_those_in_a_status(sandbox: Sandbox) -> None:
    """A status filters the recipients; without one, all recipients of this
    series alone are listed.
    """
    sandbox.add("ann", "bob")
    sandbox.series(entry_trigger="manual")
    sandbox.series(key="other", entry_trigger="manual")
    sandbox.end("bob")
    assert read(sandbox, Status.EXITED) == [("bob", "hello", Status.EXITED)]
    assert read(sandbox, Status.FAILED) == []
    assert {contact for contact, _, _ in read(sandbox)} == {"ann", "bob"}
    assert len(read(sandbox)) == 2


def test_each_recipient_is_on_one_page(sandbox: Sandbox) -> None:
    """The latest first; the last page has no next."""
    sandbox.add("ann", "bob", "cyd")
    sandbox.series(entry_trigger="manual")
    first = recipients(sandbox.work, sandbox.saved(), size=2)
    rest = recipients(sandbox.work, sandbox.saved(), size=2, after=first.next)
    ids = [each.id for each in (*first.items, *rest.items)]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 3
    assert rest.next is None
