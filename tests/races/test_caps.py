"""Workers who send to one contact at once keep to its caps (contract §20)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, text

from halo_engine.database import create_engine
from halo_engine.engine import Engine as HaloEngine
from halo_engine.mail.composing.sender import Sender
from halo_engine.mail.transports.transports import MemoryTransport
from halo_engine.pipeline.due import PostOffice
from halo_engine.tables import messages
from tests.pipeline.sandbox import NOON, new_sandbox
from tests.races.rounds import ROUNDS

WORKERS = 20
SERIES = 12
#: Two within a day: so twelve take six days.
CAPS = '[{"at_most": 1, "within": "1h"}, {"at_most": 2, "within": "24h"}]'
_READY = text("""
    UPDATE organizations SET frequency_caps = CAST(:caps AS jsonb), verified_domain = true,
        company_footer = 'Acme' WHERE key = :key
""")
#: What breaks a cap: more mails in the span that ends with one than it allows.
_OVER = text("""
    SELECT m.sent_at, cap FROM messages m, unnest(ARRAY[1, 2], ARRAY[interval '1h', '24h'])
        AS cap (at_most, within)
    WHERE m.org_id = :org AND (SELECT count(*) FROM messages o WHERE o.org_id = m.org_id
        AND o.end_user_id = m.end_user_id AND o.sent_at > m.sent_at - cap.within
        AND o.sent_at <= m.sent_at) > cap.at_most
""")


def test_no_worker_sends_one_over_a_cap_and_nobody_starves(database: Engine) -> None:
    """One contact is due in twelve series; twenty workers look at once, each time that caps allow
    more: never is one sent over, and in the end all are.
    """
    url = database.url.render_as_string(hide_password=False)
    engine = create_engine(url, application_name="halo-race", pool_size=WORKERS, pre_ping=False)
    # Each round has six instants at which somebody is due.
    with ThreadPoolExecutor(WORKERS) as pool:
        for number in range(max(ROUNDS // 10, 1)):
            play(engine, pool, f"caps-{number}")
    engine.dispose()


def play(database: Engine, pool: ThreadPoolExecutor, key: str) -> None:
    """Let all workers settle, again and again, until nothing waits."""
    sandbox = new_sandbox(database, key)
    with database.begin() as connection:
        connection.execute(_READY, {"caps": CAPS, "key": key})
    for series in range(SERIES):
        sandbox.series(f"s{series}", kind="marketing")
    [ann] = sandbox.contacts([f"ann-{key}"])
    sandbox.signal([ann])
    org_id, transport = sandbox.org_id, MemoryTransport()
    post = PostOffice(transport, Sender("Halo", "halo@halo.example"))

    def working(now: datetime) -> Callable[[int], Any]:
        engine = HaloEngine(database, post, clock=lambda: now)
        return lambda _: list(engine.settle(org_id))

    now = NOON
    for _ in range(4 * SERIES):
        list(pool.map(working(now), range(WORKERS)))
        with database.connect() as connection:
            assert connection.execute(_OVER, {"org": org_id}).all() == []
        following = due_next(database, org_id)
        if following is None:
            break
        assert following > now
        now = following
    assert len(transport.sent) == sandbox.count(messages) == SERIES
    # Not a moment later than caps ask for.
    assert now - NOON == timedelta(days=5, hours=1)


def due_next(database: Engine, org_id: Any) -> datetime | None:
    """Return when the next row is due."""
    asked = text("""
        SELECT min(scheduled_for) FROM automation_recipients
        WHERE org_id = :org AND status IN ('pending', 'processing')
    """)
    with database.connect() as connection:
        found: datetime | None = connection.execute(asked, {"org": org_id}).scalar_one()
        return found
