"""What a call leads to has its request's id and is one trace, in every process."""

from contextlib import suppress

from tests.tracing.collector import Received
from tests.tracing.conftest import Site

#: The span that calls, of a trace that begins at the caller.
SPAN = "2" * 16
#: The spans of a call up to the mail; each process sends its own when it likes.
WHOLE = {
    *("POST /api/sdk/users/identify", "set", "write_contacts"),
    *("task halo.settle", "turn", "enroll", "mail"),
}


def test_a_request_is_named_by_what_it_leads_to(site: Site) -> None:
    """The worker's turn that greets the new user logs the request's id."""
    site.post("ann", X_Request_Id="signup-1")
    assert site.wait_for("web", "answered", "signup-1")["status"] == 200
    settled = site.wait_for("worker", "settled", "signup-1")
    assert settled["entered"] == 1
    assert settled["task"] == "halo.settle"


def test_a_task_is_named_like_a_request(site: Site) -> None:
    """A task's request id comes from its message's header, and a retry keeps it."""
    site.stack.app.send_task(
        "halo.identify",
        kwargs={"widget_key": "nobody's", "user_id": "ann"},
        headers={"X-Request-Id": "task-1"},
    )
    refused = site.wait_for("worker", "refused", "task-1")
    assert refused["code"] == "unknown_widget_key"


def test_calls_that_are_taken_together_are_named_together(site: Site) -> None:
    """A turn that handles the signals of several calls logs all their ids, and each call's line its
    own.
    """
    names = [f"many-{number}" for number in range(15)]
    for name in names:
        key = "nobody's" if name.endswith("9") else site.org
        site.stack.app.send_task(
            "halo.identify",
            kwargs={"widget_key": key, "user_id": name},
            headers={"X-Request-Id": name},
        )
    for name in names:
        event = "refused" if name.endswith("9") else "settled"
        line = site.wait_for("worker", event, name)
        assert event == "settled" or line["request_id"] == name


def test_an_id_that_is_not_safe_is_no_id(site: Site) -> None:
    """An unsafe id is ignored, and the call is done."""
    for unsafe in ("two words", "x" * 129, "ünïcode", 7):
        answer = site.stack.app.send_task(
            "halo.identify",
            kwargs={"widget_key": "nobody's", "user_id": "ann"},
            headers={"X-Request-Id": unsafe},
        ).get(timeout=120)
        assert answer["refused"]["code"] == "unknown_widget_key"
    refused = [each for each in site.lines("worker") if each["event"] == "refused"]
    assert not any("words" in str(each) or "xxx" in str(each) for each in refused)


def test_a_call_is_one_trace_up_to_the_mail(site: Site) -> None:
    """One trace has the request, its set, the task that handles its signals, and the mail, with
    named statements.
    """
    traces: list[str] = []

    def spans_of(trace: str) -> list[Received]:
        return [each for each in site.collector.spans if each.trace_id == trace]

    def whole_ones() -> list[str]:
        return [each for each in traces if {span.name for span in spans_of(each)} >= WHOLE]

    for number in range(1, 6):
        traces.append(f"{number}" * 32)
        site.post(f"eve{number}", traceparent=f"00-{traces[-1]}-{SPAN}-01")
        # A turn that something else began may handle what the call left: the mail is in its trace.
        with suppress(AssertionError):
            site.stack.wait_until(lambda: bool(whole_ones()), "up to the mail", 20 * number)
            break
    [whole, *_] = whole_ones()
    of_trace = spans_of(whole)
    by_id = {each.span_id: each for each in of_trace}

    def above(name: str) -> list[str]:
        span = next(each for each in of_trace if each.name == name)
        names = [f"{span.process} {name}"]
        while (parent := by_id.get(span.parent_id)) is not None:
            span = parent
            names.append(f"{span.process} {span.name}")
        assert span.parent_id == SPAN
        return names

    request = ["halo-web set", "halo-web POST /api/sdk/users/identify"]
    turn = ["halo-worker turn", "halo-worker task halo.settle"]
    assert above("mail") == ["halo-worker mail", *turn, *request]
    assert above("enroll") == ["halo-worker enroll", *turn, *request]
    assert above("write_contacts") == ["halo-web write_contacts", *request]
    [mail] = [each for each in of_trace if each.name == "mail"]
    _is_linked_to_its_contact(site, whole, mail)
    assert not any("eve" in str(each) for each in of_trace)


def _is_linked_to_its_contact(site: Site, trace: str, mail: Received) -> None:
    """A mail has a link to the contact's own trace, which has one to the turn that let it enter."""
    [(contact, _)] = mail.links
    found: list[Received] = []

    def is_there() -> bool:
        found[:] = [each for each in site.collector.spans if each.trace_id == contact]
        return bool(found)

    site.stack.wait_until(is_there, "the contact's span")
    [entered] = found
    assert entered.name == "contact"
    assert entered.links == [(trace, mail.parent_id)]


def test_calls_that_are_taken_together_keep_their_traces(site: Site) -> None:
    """A call's span is the parent of its task, or is linked from the set that the call goes in."""
    spans = [f"{number:016x}" for number in range(1, 11)]
    for span in spans:
        site.stack.app.send_task(
            "halo.track",
            kwargs={"widget_key": site.org, "event": "seen", "session_id": span},
            headers={"traceparent": f"00-{span * 2}-{span}-01"},
        )

    def is_traced(span: str) -> bool:
        return any(
            each.parent_id == span or (each.name == "set" and (span * 2, span) in each.links)
            for each in site.collector.spans
        )

    site.stack.wait_until(lambda: all(map(is_traced, spans)), "each call is traced")
