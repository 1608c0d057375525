"""The words by which mail services say whether they mail somebody (contract §2, CSV import).

Services export a status rather than yes or no. The words mean the same in a column of a list and
in one of opt-outs.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from halo_engine.domain.nearness import letters_of


class Consent(Enum):
    """What a service says of somebody."""

    GIVEN = auto()
    #: Never asked, or not answered yet: the contact is on no list, but has not opted out.
    MISSING = auto()
    #: Withdrawn; or the service sends no mail there, since it came back or was called spam.
    WITHDRAWN = auto()


#: Letters alone, in lower case and without accents: ``OPT_IN`` is ``optin``.
_WORDS: Final[Mapping[Consent, str]] = {
    Consent.GIVEN: """
        subscribed subscribe subscriber active confirmed allow allowed
        optin optedin doubleoptin singleoptin confirmedoptin softoptin express explicit implied
        angemeldet abonniert aktiv inscrit abonne actif suscrito activo iscritto attivo inscrito
        ativo ingeschreven actief
    """,
    Consent.MISSING: """
        neversubscribed nonsubscribed nonsubscriber notsubscribed notoptedin transactional
        pending pendingconfirmation awaitingconfirmation unconfirmed notconfirmed pendingoptin
        temporaryhold temphold
        notset nopermissionset nopermissionsset
    """,
    Consent.WITHDRAWN: """
        unsubscribed unsubscribe unsub optout optedout softoptout confirmedoptout cancelled canceled
        cleaned bounced bounce hardbounce hardbounced undeliverable invalid held suppressed
        usersuppressed globallysuppressed complained complaint ispcomplained directcomplaint
        spam spamcomplaint markedasspam junk mailblocked
        blocked blocklisted blacklisted donotcontact donotemail donotmail donotallow
        abgemeldet ausgetragen desabonne desinscrit desuscrito disiscritto descadastrado
        uitgeschreven
    """,
}
_MEANINGS: Final = {word: each for each, words in _WORDS.items() for word in words.split()}


def consent_in(cell: str) -> Consent | None:
    """Return what a service's word says, in any case and spelling; None for another word."""
    return _MEANINGS.get(letters_of(cell))
