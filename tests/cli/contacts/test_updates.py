"""`halo contacts update`: a file of users, and what it would do first (contract §2, §18)."""

from tests.cli.console import Console

SERIES = """\
    series:
      pros:
        entry_trigger: segment_match
        audience_type: segment
        audience_filters: [{field: plan, operator: is, value: pro}]
        settings: {exit_rules: [segment_leave]}
        steps: [{key: a, delay: 3d, email: {subject: A, body: A}}]
"""


def test_a_dry_run_says_who_would_leave(halo: Console) -> None:
    """It counts users, series that they would enter and leave, and bad lines; it writes nothing."""
    halo("series", "apply", halo.file("s.yaml", SERIES))
    halo("identify", "ann", "--trait", "plan=pro", "--trait", "email=ann@a.example")
    halo("series", "activate", "pros")
    halo.work()
    file = halo.file("users.jsonl", '{"user_id": "ann", "traits": {"plan": "free"}}\n{]\n')
    said = (
        "  line 2 is no JSON; allowed is an object such as "
        '{"user_id": "ann", "traits": {"plan": "pro"}}\n'
    )
    assert halo("contacts", "update", file, "--dry-run", status=1) == (
        "would be: 0 created, 1 updated, 0 skipped, 1 left out\n"
        "  would start no series\n"
        f"  would leave series pros (segment_leave): 1\n{said}"
    )
    assert halo.json("contacts", "show", "ann")["traits"]["plan"] == "pro"
    done = halo("contacts", "update", file, status=1)
    assert done == f"0 created, 1 updated, 0 skipped, 1 left out\n{said}"
    assert halo.json("contacts", "show", "ann")["traits"]["plan"] == "free"


def test_a_file_that_is_not_there_says_so(halo: Console) -> None:
    """A file that cannot be read is named."""
    said = halo("contacts", "update", "no.jsonl", status=1)
    assert said == "Error: There is no file ‘no.jsonl’.\n"
