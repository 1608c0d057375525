"""Where mail goes (contract §9)."""

from pathlib import Path

import pytest

from halo_engine.mail.transports.transports import (
    FolderTransport,
    Mail,
    MemoryTransport,
    PermanentFailure,
    ServerDown,
)


def letter(subject: str) -> Mail:
    """Return a small message."""
    content = f"Subject: {subject}\r\n\r\nHello\r\n".encode()
    return Mail("hello@acme.example", "ann@a.example", content)


def test_a_folder_has_one_file_for_each_key(tmp_path: Path) -> None:
    """A message that is sent twice is one complete file, and no other file is left."""
    folder = tmp_path / "mail" / "out"
    transport = FolderTransport(folder)
    for subject in ("First", "Second"):
        transport.send(letter(subject), "<1@acme.example>")
    transport.send(letter("Other"), "<2@acme.example>")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(files) == ["1@acme.example.eml", "2@acme.example.eml"]
    assert files["1@acme.example.eml"].startswith(b"Subject: Second\r\n")


def test_a_key_cannot_leave_the_folder(tmp_path: Path) -> None:
    """A key becomes a file name, never a path."""
    FolderTransport(tmp_path).send(letter("Hi"), "<../../etc/passwd\x00@a>")
    assert [path.name for path in tmp_path.iterdir()] == [".._.._etc_passwd_@a.eml"]


def test_a_folder_that_cannot_be_written_is_nobodys_attempt(tmp_path: Path) -> None:
    """An error of the file system uses up no attempt."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ServerDown, match="File exists") as failed:
        FolderTransport(tmp_path / "file").send(letter("Hi"), "<1@a>")
    assert str(tmp_path / "file") in failed.value.reason


def test_memory_keeps_messages_in_order() -> None:
    """The memory transport keeps messages in order."""
    transport = MemoryTransport()
    for subject in ("First", "Second"):
        transport.send(letter(subject), "<1@a>")
    assert [message["Subject"] for message in transport.sent] == ["First", "Second"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("550 no\r\nsuch user", "550 no  such user"),
        ("\x00", "no reason given"),
        ("", "no reason given"),
        ("x" * 600, "x" * 500),
        ("été \ud800", "été"),
    ],
)
def test_what_a_server_says_is_fit_to_be_stored(words: str, reason: str) -> None:
    """Control characters and endless lines in a server's answer are not stored."""
    assert PermanentFailure(words).reason == reason
