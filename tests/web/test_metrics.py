"""What Prometheus reads, and the access log: templates and numbers, no data of anybody (§12)."""

import json
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from halo_engine.domain.roles import Role
from halo_engine.pipeline.agenda import note_tick
from tests.web.conftest import Answer, Web
from tests.web.test_applications import key_of
from workers.logs.access import Answered, access_log
from workers.stack.children import wait_until

DOCS = Path(__file__).parents[2] / "docs"
TOKEN = "a token of sixteen bytes or more"


def _numbers(answer: Answer) -> dict[str, float]:
    """Return what is measured, by name and labels."""
    lines = answer.body.decode().splitlines()
    samples = [line.rpartition(" ") for line in lines if not line.startswith("#")]
    return {name: float(value) for name, _, value in samples}


def test_requests_of_all_processes_are_counted(
    start: Callable[..., AbstractContextManager[Web]],
) -> None:
    """Requests of all processes are counted by their routes' templates, with status and latency."""
    with start(web_processes=2) as web:
        org = web.organization()
        reader = {"Authorization": f"Bearer {key_of(web, org, Role.VIEWER)}"}
        for number in range(20):
            web.ask("GET", f"/api/series/secret-{number}/ledger", None, **reader)
        web.ask("GET", "/coffee")
        web.post("/api/sdk/users/identify", str(org.widget_key), {"user_id": "ann"})
        template = 'method="GET",route="/api/series/{series}/ledger"'
        others = 'halo_http_requests_total{method="none",route="none",status="404"}'
        found: dict[str, float] = {}

        def are_counted() -> bool:
            # A process counts an answer once it is on its way; another one may be asked.
            found.update(_numbers(web.ask("GET", "/metrics")))
            counts = (f"halo_http_request_seconds_count{{{template}}}", others)
            in_sets = found.get("halo_calls_in_set_count", 0)
            return sum(found.get(each, 0) for each in counts) + in_sets >= 22

        wait_until(web.child, are_counted, "all were counted")
        shown = web.ask("GET", "/metrics").body.decode()
    assert found[f'halo_http_requests_total{{{template},status="404"}}'] == 20
    assert found[f"halo_http_request_seconds_count{{{template}}}"] == 20
    assert found[others] == 1
    assert found["halo_calls_in_set_count"] == 1
    assert "secret" not in shown
    assert str(org.key) not in shown
    assert "ann" not in re.findall(r'"(\w+)"', shown)


def test_the_installation_is_measured(web: Web) -> None:
    """The measures say what waits and for how long, how many there are of each kind, and the
    pool.
    """
    found = _numbers(web.ask("GET", "/metrics"))
    assert found["halo_database_up"] == 1
    assert {name.partition("{")[0] for name in found} >= {
        "halo_signals_waiting",
        "halo_signals_oldest_seconds",
        "halo_signals_parked",
        "halo_due_rows_waiting",
        "halo_due_rows_oldest_seconds",
        "halo_enrollments",
        "halo_pool_in_use",
        "halo_broker_up",
        "halo_messages_waiting",
    }
    assert found["halo_pool_in_use"] <= found["halo_pool_size"]


def _everything(web: Web) -> str:
    """Return the metrics of an installation in which each of them has something to tell."""
    org = web.organization()
    admin = key_of(web, org, Role.ADMIN)
    series = {
        "entry_trigger": "segment_match",
        "audience_type": "segment",
        "audience_filters": [[{"field": "plan", "operator": "is", "value": "pro"}]],
        "steps": [{"key": "hello", "email": {"subject": "Hello", "body": "Hello"}}],
    }
    body = json.dumps(series).encode()
    sent = {"Authorization": f"Bearer {admin}", "Content_Type": "application/json"}
    assert web.ask("PUT", "/api/series/pros", body, **sent).status == 201
    assert web.post("/api/series/pros/activate", admin, {}).status == 200
    web.post("/api/sdk/users/identify", str(org.widget_key), {"user_id": "ann"})
    with web.database.begin() as connection:
        note_tick(connection)
    found: list[str] = []

    def is_told() -> bool:
        # What waits is counted every five seconds.
        found[:] = [web.ask("GET", "/metrics").body.decode()]
        return "halo_tick_age_seconds" in found[0] and "halo_pass_age_seconds" in found[0]

    wait_until(web.child, is_told, "the tick and the pass were counted")
    return found[0]


def test_dashboard_alerts_and_guide_name_existing_series(web: Web) -> None:
    """Dashboard and alerts read existing series, and the guide lists every series."""
    shown = _everything(web)
    samples = {line.split("{")[0].split(" ")[0] for line in shown.splitlines() if line[0] != "#"}
    families = set(re.findall(r"^# TYPE (\S+) ", shown, re.MULTILINE))
    for name in ("halo-dashboard.json", "halo-alerts.yaml"):
        named = set(re.findall(r"\bhalo_[a-z_]+", (DOCS / "monitoring" / name).read_text()))
        assert named <= samples | families
    guide = (DOCS / "guides" / "monitoring.md").read_text()
    # The directory is there where there are cells (tests/cells).
    assert families | {"halo_directory_up"} == set(re.findall(r"`(halo_[a-z_]+)`", guide))
    alerts = set(
        re.findall(r"alert: (\w+)", (DOCS / "monitoring" / "halo-alerts.yaml").read_text())
    )
    assert alerts == set(re.findall(r"`(Halo\w+)`", guide))


def test_away_from_this_machine_a_token_is_asked_for(
    start: Callable[..., AbstractContextManager[Web]],
) -> None:
    """At a public URL metrics need a token; without one the path is a 404."""
    with start(public_url="https://halo.acme.example", metrics_token=TOKEN) as web:
        assert web.ask("GET", "/metrics").status == 404
        assert web.ask("GET", "/metrics", Authorization=f"Bearer {TOKEN}x").status == 404
        assert web.ask("GET", "/metrics", Authorization=f"Bearer {TOKEN}").status == 200


def test_a_line_of_the_access_log_is_structured() -> None:
    """A line is JSON or text with the template; of the caller's data it has the request id
    alone.
    """
    it = Answered("GET", "/api/series/{series}", 200, 0.0123456, "r-1")
    written: list[str] = []
    access_log("json", written.append)([it])
    line: dict[str, Any] = json.loads(written[0])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("timestamp"))
    assert line == {
        "level": "info",
        "event": "answered",
        "method": "GET",
        "route": "/api/series/{series}",
        "status": 200,
        "seconds": 0.012346,
        "request_id": "r-1",
    }
    access_log("console", written.append)([it])
    assert written[1].endswith(
        "Z [info] answered method=GET route=/api/series/{series} status=200 seconds=0.012346"
        " request_id=r-1\n"
    )


def test_the_access_log_says_nothing_of_a_request(
    start: Callable[..., AbstractContextManager[Web]],
) -> None:
    """No path, query, key, body or address is in the access log."""
    with start(log_format="json") as web:
        org = web.organization()
        key = key_of(web, org, Role.VIEWER)
        web.ask("GET", "/api/contacts?q=confidential", Authorization=f"Bearer {key}")
        web.post("/api/sdk/users/identify", str(org.widget_key), {"user_id": "confidential"})
        path = web.child.log
        assert path is not None
        # A line is written once its answer is on its way.
        written = "/api/sdk/users/identify"
        wait_until(web.child, lambda: written in path.read_text(), "the last line was written")
        log = path.read_text()
    lines = [json.loads(each) for each in log.splitlines() if each.startswith("{")]
    assert {each["route"] for each in lines if each["event"] == "answered"} >= {
        "/api/contacts",
        "/api/sdk/users/identify",
    }
    assert "confidential" not in log
    assert key not in log
    assert str(org.widget_key) not in log
