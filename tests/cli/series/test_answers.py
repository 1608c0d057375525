"""`halo series preview`, `diagnose`, `ledger`, `funnel`, and `halo explain`: answers to "why"."""

import re

import pytest

from tests.cli.console import Console

PRO = """\
    series:
      pro:
        entry_trigger: segment_match
        audience_type: segment
        audience_filters: [[{field: plan, operator: is, value: pro}]]
        steps:
          - {key: hello, email: {subject: Hi, body: Hi}}
          - {key: bye, delay: 3d, email: {subject: Bye, body: Bye}}
"""
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC")


@pytest.fixture
def pro(halo: Console) -> Console:
    """An organisation where `pro` is active, ann and cid are in it, and bob is not."""
    halo("series", "apply", halo.file("pro.yaml", PRO))
    for name, plan in (("ann", "pro"), ("bob", "free"), ("cid", "pro")):
        traits = ("--trait", f"email={name}@a.example", "--trait", f"plan={plan}")
        halo("identify", name, *traits, "--trait", f"name={name.title()}")
    halo.work()
    halo("series", "activate", "pro")
    halo.work()
    return halo


def _timeless(printed: str) -> str:
    return _INSTANT.sub("INSTANT", printed)


def test_preview_counts_and_lists_who_matches(pro: Console) -> None:
    """The count is of all matches, the list a page in order of creation."""
    assert _timeless(pro("series", "preview", "pro")) == (
        "2 matched\n"
        "\n"
        "contact  email          name  type  created\n"
        "ann      ann@a.example  Ann   user  INSTANT\n"
        "cid      cid@a.example  Cid   user  INSTANT\n"
    )
    first = pro.json("series", "preview", "pro", "--size", "1")
    assert (first["matched"], [each["external_id"] for each in first["contacts"]]) == (2, ["ann"])
    rest = pro.json("series", "preview", "pro", "--after", first["next"])
    assert [each["external_id"] for each in rest["contacts"]] == ["cid"]
    assert rest["next"] is None


def test_preview_of_what_is_not_saved(pro: Console) -> None:
    """A definition in a file is previewed as it is; nothing is saved."""
    free = pro.file("free.yaml", PRO.replace("value: pro", "value: free"))
    assert pro("series", "preview", "pro", "--file", free).startswith("1 matched\n")
    assert pro.json("series", "preview", "pro")["matched"] == 2
    said = f"Error: {free}: there is no series ‘x’ in it; there are pro\n"
    assert pro("series", "preview", "x", "--file", free, status=1) == said


def test_preview_of_a_name_that_drives_terminals(halo: Console) -> None:
    """Control characters in a contact's name are escaped."""
    halo("identify", "eve", "--trait", "email=e@a.example", "--trait", 'name="\\u001b[2J"')
    halo("series", "apply", halo.file("s.yaml", "series: {s: {entry_trigger: manual}}"))
    assert "  \\x1b[2J  " in halo("series", "preview", "s")


def test_diagnose_counts_by_filter_and_advises(pro: Console) -> None:
    """Each filter is counted alone, and the causes of a small audience are named with advice."""
    picky = pro.file("picky.yaml", PRO.replace("plan, ", "'custom:rolle', "))
    pro("identify", "dan", "--trait", "email=dan@a.example", "--trait", "role=pro")
    printed = pro("series", "diagnose", "pro", "--file", picky)
    assert printed.startswith(
        "0 of 4 eligible contacts match\n"
        "\n"
        "filter               pass it alone  match without it  lack the value\n"
        "custom:rolle is pro              0                 4               4\n"
        "\n"
        "[field_never_sent] No contact has a value for custom:rolle"
    )
    assert "\n[look_alike_field] custom:role has a value for 1 contact, but is another" in printed
    diagnosis = pro.json("series", "diagnose", "pro")
    assert (diagnosis["matched"], diagnosis["eligible"]) == (2, 4)


def test_ledger_balances(pro: Console) -> None:
    """The ledger has a line for each code, and their sum, the matched."""
    pro("series", "remove", "pro", "cid")
    pro("identify", "ann", "--trait", "plan=free")
    pro.work()
    assert pro("series", "ledger", "pro") == (
        "code              contacts\n"
        "already_enrolled         1\n"
        "matched                  1\n"
        "\n"
        "1 active that no longer match\n"
    )
    assert pro.json("series", "ledger", "pro") == {
        "series": "pro",
        "matched": 1,
        "buckets": {"already_enrolled": 1},
        "active_outside": 1,
        "waiting_outside": 0,
        "held_outside": 0,
        "complete_since": None,
    }


def test_funnel_shows_the_steps(pro: Console) -> None:
    """The funnel counts enrollments by their end, and recipients and mails by step."""
    pro("series", "remove", "pro", "cid")
    assert pro("series", "funnel", "pro") == (
        "enrolled       2\n"
        "enrollments    2\n"
        "in it now      1\n"
        "converted      0\n"
        "ended: manual  1\n"
        "\n"
        "step   recipients           skipped  sent  failed  unknown  opened  clicked  replied"
        "  machine opened  machine clicked\n"
        "hello  2 completed          -           2       0        0       0        0        0"
        "               0                0\n"
        "bye    1 exited, 1 pending  -           0       0        0       0        0        0"
        "               0                0\n"
    )


def test_explain_who_is_in_it(pro: Console) -> None:
    """Explain says at which step an enrolled contact is, and what comes next and when."""
    assert _timeless(pro("explain", "ann", "pro")) == (
        "ann and pro: active\n"
        "It is in the series, at step ‘bye’.\n"
        "\n"
        "enrolled  INSTANT (number 1)\n"
        "at step   bye, since INSTANT (pending)\n"
        "next      The email will be sent, then the run ends.\n"
        "at        INSTANT\n"
    )
    explanation = pro.json("explain", "ann", "pro")
    assert (explanation["code"], explanation["position"]["step"]) == ("active", "bye")


def test_explain_who_is_not_in_it(pro: Console) -> None:
    """Explain says the reason code, the filter with the contact's value, and what to change."""
    assert pro("explain", "bob", "pro") == (
        "bob and pro: audience_mismatch\n"
        "The audience filter does not hold: plan is ‘free’.\n"
        "Needed: plan is ‘pro’.\n"
        "\n"
        "filter       saw\n"
        "plan is pro  free\n"
    )
    assert pro("explain", "eve", "pro", status=1) == "Error: There is no contact ‘eve’.\n"
