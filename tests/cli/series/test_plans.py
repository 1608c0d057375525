"""`halo series plan`, `history`, `revert`: before a save, and back from it (contract §18)."""

from tests.cli.console import Console

LETTER = """\
    series:
      letter:
        entry_trigger: manual
        steps:
          - {key: first, delay: 2d, email: {subject: First, body: One}}
          - {key: last, email: {subject: Last, body: Two}}
"""
SHORTER = LETTER.replace("delay: 2d", "delay: 1d")


def test_a_plan_ends_for_ci_and_its_token_saves_it(halo: Console) -> None:
    """`plan` exits with 0 if nothing differs, 2 if something does, 1 if a save would be refused."""
    file = halo.file("letter.yaml", LETTER)
    assert halo("series", "plan", file, status=2).startswith("letter: created (draft)\n")
    halo("series", "apply", file)
    halo("identify", "ann", "--trait", "email=ann@a.example")
    halo("series", "activate", "letter")
    halo.work()
    assert "letter: unchanged (active, version 1)\n\n1 in it\n" in halo("series", "plan", file)
    sooner = halo.file("sooner.yaml", SHORTER)
    planned = halo.json("series", "plan", sooner, "--reschedule", status=2)
    [plan] = planned["plans"]
    assert [(each["fate"], each["contacts"]) for each in plan["fates"]] == [("rescheduled", 1)]
    said = halo("series", "plan", sooner, "--reschedule", "--fate", "rescheduled", status=2)
    assert "are rescheduled" in said
    assert "ann@a.example" in said
    assert f"--reschedule --plan {planned['token']}\n" in said
    refused = halo("series", "apply", sooner, "--plan", planned["token"], status=1)
    assert "allowed is what a new plan says" in refused
    saved = halo("series", "apply", sooner, "--reschedule", "--plan", planned["token"])
    assert "  1 rescheduled\n" in saved
    broken = halo.file("broken.yaml", "series: {letter: {entry_trigger: manual}}")
    assert "refused: Add at least one step" in halo("series", "plan", broken, status=1)


def test_history_names_who_saved_what_and_revert_goes_back(halo: Console) -> None:
    """History shows each version as it was; going back makes a new version."""
    halo("series", "apply", halo.file("letter.yaml", LETTER))
    halo("series", "apply", halo.file("sooner.yaml", SHORTER))
    latest, first = halo.json("series", "history", "letter")["versions"]
    assert (latest["via"], latest["changed"]) == ("command", ["steps.first.delay"])
    assert (first["version"], first["changed"]) == (1, [])
    assert "delay: 2d" in halo("series", "show", "letter", "--version", "1")
    assert "steps.first.delay" in halo("series", "revert", "letter", "--to", "1")
    said = halo("series", "history", "letter")
    assert said.splitlines()[0].split() == ["version", "saved", "by", "from", "changed"]
    assert [line.split()[0] for line in said.splitlines()[1:]] == ["3", "2", "1"]


def test_an_activation_is_confirmed_by_a_number(halo: Console) -> None:
    """More contacts than that are refused; what happened to one is told by `halo runs`."""
    halo("series", "apply", halo.file("letter.yaml", LETTER))
    halo("identify", "ann", "--trait", "email=ann@a.example")
    refused = halo("series", "activate", "letter", "--confirm", "0", status=1)
    assert "Activating ‘letter’ enrolls 1 contacts; 0 were expected" in refused
    assert halo("runs", "ann", "letter") == "ann was never in letter.\n"
    halo("series", "activate", "letter", "--confirm", "1")
    halo.work()
    story = halo("runs", "ann", "letter")
    assert story.startswith("run 1, began ")
    assert "in version 1\n" in story
    assert "pending" in story


def test_runs_and_explain_show_what_the_event_said(halo: Console) -> None:
    """Names with values as JSON, of a long value its beginning (contract §21)."""
    by_event = LETTER.replace("manual", "event\n        settings: {entry_event_name: go}")
    halo("series", "apply", halo.file("letter.yaml", by_event))
    halo("series", "activate", "letter")
    halo("identify", "ann", "--trait", "email=ann@a.example")
    halo.work()
    long = "x" * 100
    halo("track", "ann", "go", "--property", "amount=100", "--property", f"note={long}")
    halo.work()
    said = f'note "{long[:78]}…, amount 100\n'
    assert f"its event said: {said}" in halo("runs", "ann", "letter")
    assert f"its event said  {said}" in halo("explain", "ann", "letter")
