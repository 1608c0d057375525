"""Batches of users, and trials of them, which are rolled back (contract §2)."""

from pathlib import Path
from typing import Literal
from uuid import UUID

from halo_engine.contacts.identifying.update import UpdateAnswer, UpdateCall, update, write_batch
from halo_engine.contacts.identifying.update_file import (
    UpdatedFile,
    UpdateFileAnswer,
    user_pages,
    write_page,
)
from halo_engine.contacts.identifying.verification import verify_update_scope
from halo_engine.pipeline.batches.trials import MOST_TRIED, Effects, trying
from halo_engine.work import Transact, Work


class UpdateOrTryCall(UpdateCall):
    """A batch of users, each an ``UpdatedUser``.

    ``update_only`` skips users that are not known instead of creating them. With ``dry_run``
    nothing is written: the answer says what would be, and has ``leaves``: by series, how many would
    leave it for which exit reason. ``starts_later`` says how many it would enroll at its next
    re-evaluation.
    """

    dry_run: bool = False


class UpdateDryRun(UpdateAnswer, Effects):
    """What a batch would do. It enrolls nobody at once, so ``starts`` is empty; ``leaves`` says how
    many contacts would leave a series at once, by exit reason.
    """

    dry_run: Literal[True] = True


class UpdateFileDryRun(UpdateFileAnswer, Effects):
    """What a file of users would do: the first ``tried`` of its ``users`` were tried."""

    dry_run: Literal[True] = True
    users: int
    tried: int


def update_or_try(work: Work, call: UpdateOrTryCall, *, is_proven: bool = False) -> UpdateAnswer:
    """Write a batch of users; with ``dry_run`` say what it would do (§2)."""
    if not call.dry_run:
        return update(work, call, is_proven=is_proven)
    if not is_proven:
        verify_update_scope(work, call.user_token)
    with trying(work) as trial:
        answer, contacts = write_batch(trial.work, call)
        trial.react(contacts)
    return UpdateDryRun.model_validate({**dict(answer), **trial.effects()})


def try_update_file(
    transact: Transact, path: Path, *, update_only: bool = False
) -> UpdateFileDryRun:
    """Say what a file of users would do; nothing is written. The first 10,000 lines are tried.

    Raises 400 for a line that is far too long, OSError for a file that cannot be read.
    """

    def tried(work: Work) -> UpdateFileDryRun:
        done, contacts, users, tried = UpdatedFile(), dict[UUID, None](), 0, 0
        with trying(work) as trial:
            for page in user_pages(path):
                users += page.size
                if users <= MOST_TRIED:
                    answer, about = write_page(trial.work, page, update_only=update_only)
                    done.add(page, answer)
                    contacts.update(dict.fromkeys(about))
                    tried = users
            trial.react(contacts)
        return UpdateFileDryRun.model_validate(
            {**done.as_answer(), **trial.effects(), "users": users, "tried": tried}
        )

    return transact(tried)
