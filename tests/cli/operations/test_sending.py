"""`halo sending`: stopping all mail, and starting it again."""

import re

from tests.cli.console import Console

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00")
WELCOME = """\
    series:
      welcome:
        entry_trigger: user_created
        steps:
          - {key: hello, email: {subject: Hi, body: Hi}}
"""


def said(halo: Console, *arguments: str) -> str:
    """Return the printed answer of a `halo sending` command, without instants."""
    return _INSTANT.sub("INSTANT", halo("sending", *arguments))


def test_all_mail_is_stopped_and_started(bare: Console) -> None:
    """A stop shows who did it and holds mail; after the start it is sent."""
    bare("org", "create", "acme")
    bare("series", "apply", bare.file("welcome.yaml", WELCOME))
    bare("series", "activate", "welcome")
    assert said(bare, "show") == "nothing stops any mail\n"
    stopped = "all mail is stopped since INSTANT by Pat\n"
    assert said(bare, "stop", "--by", "Pat") == stopped
    assert said(bare, "stop", "--by", "Kim") == stopped
    assert said(bare, "show", "--org", "acme") == stopped
    bare("identify", "ann", "--trait", "email=ann@a.example")
    bare.work()
    found = bare.json("status")
    [acme] = found["organizations"]
    assert (found["ok"], acme["due"], acme["held"]) == (True, 0, 1)
    assert (acme["stopped"][0]["everywhere"], acme["stopped"][0]["by"]) == (True, "Pat")
    assert re.search("\n  all mail is stopped since .* by Pat\n", bare("status"))
    assert bare.json("sending", "start") == {"stops": [], "outage": None}
    bare.work()
    [acme] = bare.json("status")["organizations"]
    assert (acme["due"], acme["held"], acme["stopped"]) == (0, 0, [])


def test_one_organisations_mail_is_stopped(bare: Console) -> None:
    """Others are not stopped, and starting all mail keeps its stop; an unknown one is refused."""
    for key in ("acme", "other"):
        bare("org", "create", key)
    line = "the mail of acme is stopped since INSTANT by operator\n"
    assert said(bare, "stop", "--org", "acme") == line
    assert said(bare, "show") == line
    assert said(bare, "show", "--org", "other") == "nothing stops the mail of other\n"
    assert said(bare, "start") == line
    assert said(bare, "start", "--org", "acme") == "nothing stops the mail of acme\n"
    for command in ("stop", "start", "show"):
        refused = bare("sending", command, "--org", "nobody", status=1)
        assert refused.count("\n") == 1
        assert "nobody" in refused
