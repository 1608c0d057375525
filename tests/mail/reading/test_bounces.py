"""What a refusal means: for good or for now, and why (contract §2)."""

import pytest

from halo_engine.domain.bounce_reasons import FOR_GOOD, BounceReason
from halo_engine.mail.reading.bounces import Bounce, judge


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("5.1.1", "user_unknown"),
        ("5.1.2", "domain_unknown"),
        ("5.1.3", "bad_address"),
        ("5.1.6", "moved"),
        ("5.1.10", "user_unknown"),
        ("5.1.351", "user_unknown"),
        ("5.4.1", "user_unknown"),
        ("5.4.4", "domain_unknown"),
        ("5.1.7", "sender_refused"),
        ("5.1.8", "sender_refused"),
        ("5.1.9", "unclear"),
        ("5.2.1", "mailbox_disabled"),
        ("5.2.2", "mailbox_full"),
        ("5.2.3", "too_large"),
        ("5.3.0", "server"),
        ("5.3.4", "too_large"),
        ("5.4.7", "network"),
        ("5.6.0", "content"),
        ("5.7.1", "policy"),
        ("5.7.26", "authentication"),
        ("5.7.606", "blocklist"),
        ("5.7.999", "policy"),
        ("5.0.0", "unclear"),
        ("5.5.1", "unclear"),
        ("4.1.1", "user_unknown"),
        ("4.4.1", "user_unknown"),
        ("4.2.2", "mailbox_full"),
    ],
)
def test_codes_about_the_address_are_for_good(status: str, reason: str) -> None:
    """A code about the recipient's address is for good only in class 5."""
    for_good = reason in FOR_GOOD and status.startswith("5")
    assert judge("", status) == Bounce(for_good, BounceReason(reason))


@pytest.mark.parametrize(
    ("diagnostic", "status", "reason"),
    [
        # The server's own code goes before the report's.
        ("550 5.7.1 no", "5.1.1", "policy"),
        ("550 5.1.1 no", "5.7.1", "user_unknown"),
        ("550 5.0.0 no", "5.2.2", "mailbox_full"),
        ("550 no", "5.1.1", "user_unknown"),
        # A code of the recipient is no proof where the words speak of anything else.
        ("550 5.1.1 rejected as spam", "", "content"),
        ("550 5.1.1 sender address rejected", "", "sender_refused"),
        ("550 5.1.1 user is over quota", "", "mailbox_full"),
        ("554 5.1.1 see http://zen.spamhaus.example/192.0.2.1", "", "blocklist"),
        ("550 5.1.1 too many messages from you", "", "rate"),
        ("550 5.1.1 local policy", "", "policy"),
        ("550 5.1.1 account is disabled", "", "user_unknown"),
        # Postfix's name of a table, and no word about relaying.
        ("550 5.1.1 ann: User unknown in relay recipient table", "5.1.1", "user_unknown"),
        ("550 User unknown in relay recipient table", "", "user_unknown"),
        # Who says "may" does not know.
        ("550 Domain may not exist or DNS check failed", "", "unclear"),
        ("550 The account might not exist", "", "unclear"),
        ("550 No such user; the account may not exist", "", "user_unknown"),
        ("550 5.1.1 The account may not exist", "", "user_unknown"),
        # Microsoft's codes, and QQ's words, for too many mails.
        ("550 5.2.121 no", "", "rate"),
        ("550 5.2.122 no", "", "rate"),
        ("550 Sender frequency limited", "", "rate"),
        ("550 5.2.1 The user is receiving mail at a rate that", "", "rate"),
        # Domino's directory has two of them, or a broken entry.
        ("User ann not unique. Several matches found in Domino Directory.", "5.0.0", "server"),
        ("Recipient's entry does not specify a valid Notes mail file", "5.0.0", "server"),
        ("User ann not listed in Domino Directory", "5.0.0", "user_unknown"),
        # Nor are words where the code speaks of something else.
        ("550 5.7.1 no such user", "", "policy"),
        ("550 5.2.2 no such user", "", "mailbox_full"),
        # A name server that fails says nothing of the domain.
        ("Name service error: Malformed or unexpected name server reply", "5.4.4", "network"),
        # Sendmail calls a domain that accepts no mail 5.7.27, which is defined for the sender's.
        ("550 Host does not accept mail", "5.7.27", "null_mx"),
        ("550 5.7.27 Sender address has null MX", "5.7.27", "sender_refused"),
        ("550 5.7.27 no", "5.7.27", "sender_refused"),
        ("Remote host said: 554 INVALID IP FOR SENDING MAIL OF DOMAIN a.example", "", "blocklist"),
        ("550 Le groupe n'existe pas, ou vous n'êtes pas autorisé", "", "policy"),
        # Where the code says nothing, the words do.
        ("550 5.0.0 no such user", "5.0.0", "user_unknown"),
        ("550 5.5.0 mailbox not found", "", "user_unknown"),
        ("550 5.1.0 unknown address error 550-'5.1.1 no'", "", "user_unknown"),
        ("550 5.2.1 user unknown", "", "user_unknown"),
        ("550 5.2.1 account is disabled", "", "mailbox_disabled"),
        ("550 recipient doesn't exist", "", "user_unknown"),
        ("550 that mailbox does not exist here", "", "user_unknown"),
        ("550 This user doesn’t have an example account", "", "user_unknown"),
        ("550 not listed in the public address book", "", "user_unknown"),
        ("550 Unknown local part ann in <ann@spam.example>", "", "user_unknown"),
        *[
            (f"550 {said}", "", "user_unknown")
            for said in (
                "Benutzer unbekannt",
                "Usuário inexistente",
                "Usuário não encontrado",
                "Gebruiker onbekend",
                "Questo utente non esiste",
                "Okänd användare",
                "Ukendt bruger",
                "Tuntematon käyttäjä",
                "Kullan\u0131c\u0131 bulunamad\u0131",
                "L'utilisateur est non répertorié dans l'annuaire",
                "El usuario no se encuentra en el directorio",
                "The recipient cannot be verified",
                "Message was not accepted -- invalid mailbox. Local mailbox is unavailable",
                "RCPT (ann@b.example) dosn't exist",
                "Inbox does not exist",
                "No one with that email address here",
                "There is no one by that name here",
                "No user found",
                "No matching recipient",
                "We don't have that user",
                "Unable to find alias user",
                "No such mail drop defined",
                "Recipient not in directory",
                "ann was not found in LDAP server",
                "Account has been deleted",
                "Empfänger nicht gefunden",
                "Das Postfach ist nicht vorhanden",
                "De geadresseerde werd niet gevonden",
                "Mottagaren finns inte",
                "Modtageren findes ikke",
                "Nie ma takiego konta",
                "Nincs ilyen felhasználó",
                "Utilizator inexistent",
                "该用户不存在",
                "このユーザーは存在しません",
            )
        ],
        # The sender may be unknown too, and a mailbox full, in all these languages.
        *[
            (f"550 {said}", "", "sender_refused")
            for said in (
                "Absender unbekannt",
                "Expéditeur inconnu",
                "Remitente desconocido",
                "Mittente sconosciuto",
                "Okänd avsändare",
                "Afsender ukendt",
                "Unbekannter Absender",
                "Nieznany nadawca",
                "Neznámý odesílatel",
                "Отправитель не найден",
                "El dominio del remitente no existe",
                "Die Absender-Domain existiert nicht",
            )
        ],
        # An error that nobody knows says nothing of the recipient.
        *[
            (f"550 {said}", "", "server")
            for said in (
                "Unbekannter Fehler",
                "Erreur inconnue du serveur",
                "Error desconocido",
                "Errore sconosciuto",
                "Erro desconhecido",
                "Onbekende fout",
                "Nieznany błąd",
                "Neznámá chyba",
                "Ukendt fejl",
                "Tuntematon virhe",
            )
        ],
        ("550 DNS reverso no encontrado", "", "authentication"),
        *[
            (f"552 {said}", "", "mailbox_full")
            for said in (
                "Das Postfach des unbekannten Benutzers ist voll",
                "La boîte du destinataire est pleine",
                "El buzón está lleno",
                "Caixa postal cheia",
                "Casella di posta piena",
                "La casilla de correo está llena",
                "Het postvak van de ontvanger is vol",
                "Mottagarens brevlåda är full",
                "Modtagerens postkasse er fuld",
                "Vastaanottajan postilaatikko on täynnä",
                "Skrzynka pocztowa jest przepełniona",
                "Schránka příjemce je plná",
                "Почтовый ящик получателя переполнен",
                "A címzett postafiókja megtelt",
                "Posta kutusu dolu",
                "收件人邮箱已满",
                "Account(s) <ann@b.example> does not have enough space",
                "User has exhausted allowed storage space",
                "Mailbox overlimit",
            )
        ],
        # The server that said so, as Sendmail notes it, did not refuse to relay.
        ("553 5.3.0 <ann@b.example>... Addressee unknown, relay=[192.0.2.1]", "", "user_unknown"),
        # It was the wait that was too long.
        ("The message has been in the queue too long. (#4.3.0)", "", "network"),
        ("550 5.0.0 The remote system is temporarily unavailable", "", "network"),
        # Servers' names for reasons are words too.
        ("552 5.2.0 QuotaExceededException", "", "mailbox_full"),
        ("552 OverQuotaPerm", "", "mailbox_full"),
        ("550 DmarcRejection", "", "authentication"),
        ("550 DisabledUser", "", "mailbox_disabled"),
        ("550 JunkMail rejected", "", "content"),
        ("550 Sender b.example has no A, AAAA, or MX DNS records", "", "sender_refused"),
        ("550 your envelope sender domain must exist", "", "sender_refused"),
        # What has run out is the mail's time.
        ("550 El mensaje ha expirado", "", "unclear"),
        ("550 La cuenta ha expirado", "", "mailbox_disabled"),
        ("550 Esta casilla ha expirado por falta de uso", "", "mailbox_disabled"),
        ("550 Unrouteable address", "", "user_unknown"),
        (
            "Host or domain name not found. Name service error for name=b.example",
            "",
            "domain_unknown",
        ),
        ("550 Unknown host", "", "domain_unknown"),
        ("556 b.example", "", "null_mx"),
        ("550 Domain does not accept mail (nullMX)", "5.0.0", "null_mx"),
        # Microsoft's 5.4.1 is the recipient's, everybody else's is the network's.
        ("550 5.4.1 Recipient address rejected: Access denied", "", "user_unknown"),
        ("550 5.4.1 connection timed out", "", "network"),
        ("", "5.4.1", "user_unknown"),
        ("550 Sender verify failed", "", "sender_refused"),
        # The sender's domain or server is not found, whosever name stands beside it.
        ("550 Your domain does not exist", "", "sender_refused"),
        ("550 MX record for your domain not found", "", "sender_refused"),
        ("550 No MX for sender's domain", "", "sender_refused"),
        ("550 Your mail server's address does not exist in DNS", "", "sender_refused"),
        # What is invalid is a part of the mail, and what is unknown are many.
        ("550 Invalid attachment name", "", "content"),
        ("550 Message headers invalid: missing recipient address", "", "content"),
        ("550 5.1.1 Too many unknown recipients from your host", "", "rate"),
        ("554 Too many nondelivery reports: unknown users", "", "rate"),
        ("550 SPF check failed for user unknown", "", "authentication"),
        ("550 relaying denied", "", "relaying"),
        ("552 message size exceeds the limit", "", "too_large"),
        ("554 message contains a virus", "", "content"),
        ("550 connection refused", "", "network"),
        ("lost connection with mx.b.example while receiving the greeting", "4.4.2", "network"),
        ("450 User is receiving mail too quickly", "", "rate"),
        # A quota of the sender's is no full mailbox.
        ("550 5.4.5 Daily user sending quota exceeded", "", "rate"),
        ("450 4.7.3 Organization queue quota exceeded", "", "rate"),
        ("550 Sender has exceeded hourly message quota", "", "rate"),
        # A filter of the domain's.
        ("541 5.4.1 Mail rejected by destination domain", "", "policy"),
        ("421 4.3.2 server too busy", "", "rate"),
        ("550 Your host is not allowed to connect to this server", "", "blocklist"),
        ("451 deferred due to unresolvable RFC.5321 from domain", "", "sender_refused"),
        ("550 internal server error", "", "server"),
        ("550 Recipient address rejected: greylisted", "", "rate"),
        ("554 no", "", "unclear"),
    ],
)
def test_reasons_that_are_not_the_recipients_come_first(
    diagnostic: str, status: str, reason: str
) -> None:
    """Reasons that are not the recipient's fault are checked first."""
    judged = judge(diagnostic, status)
    assert judged == Bounce(reason in FOR_GOOD, BounceReason(reason))


def test_what_is_put_off_is_never_for_good() -> None:
    """A 4xx answer is never for good, whatever the words are."""
    assert judge("450 4.0.0 no such user") == Bounce(False, BounceReason.USER_UNKNOWN)
    assert judge("421 user unknown") == Bounce(False, BounceReason.USER_UNKNOWN)
    assert judge("421 4.3.0 later", "5.1.1") == Bounce(False, BounceReason.USER_UNKNOWN)
    for later in ("450 later", "450 4.0.0 later", "4.0.0"):
        judged = judge(later, "5.0.0", "no such user")
        assert judged == Bounce(False, BounceReason.USER_UNKNOWN)


def test_words_after_the_text_are_not_about_the_recipient() -> None:
    """A server that accepted the recipient knows the address, unless its code says otherwise."""
    said = "550 user unknown (in reply to end of DATA command)"
    assert judge(said) == Bounce(False, BounceReason.POLICY)
    assert judge("550 user unknown", "5.0.0", said) == Bounce(False, BounceReason.POLICY)
    assert judge(said, "5.1.1") == Bounce(True, BounceReason.USER_UNKNOWN)
    transcript = "... while talking to mx.b.example.:\n>>> DATA\n<<< 550 User unknown\n"
    assert judge("550 User unknown", "5.0.0", transcript) == Bounce(False, BounceReason.POLICY)
    at_once = f"{transcript}<<< 503 5.0.0 Need RCPT (recipient)\n"
    assert judge("550 User unknown", "5.0.0", at_once) == Bounce(True, BounceReason.USER_UNKNOWN)


@pytest.mark.parametrize(
    "said",
    [
        "554 delivery error: dd This user doesn't have a b.example account (ann@b.example) [0]",
        "554 delivery error: dd ann@b.example is no longer valid. [-20]",
        "552 1 Requested mail action aborted, mailbox not found",
        "550 Message not accepted -- invalid mailbox. Local mailbox is unavailable: user not found",
    ],
)
def test_some_look_the_recipient_up_after_the_text(said: str) -> None:
    """Yahoo and mail.ru then say that the address is theirs, and that nobody has it."""
    text = f"host mx.b.example said: {said} (in reply to end of DATA command)"
    assert judge(said, "5.0.0", text) == Bounce(True, BounceReason.USER_UNKNOWN)


def test_what_is_said_to_people_counts_where_nothing_else_says_anything() -> None:
    """The text counts if the fields have only 5.0.0, as Exim writes."""
    assert judge("", "5.0.0", "the mailbox is full") == Bounce(False, BounceReason.MAILBOX_FULL)
    assert judge("550 no such user", "5.0.0", "the mailbox is full") == Bounce(
        True, BounceReason.USER_UNKNOWN
    )


@pytest.mark.parametrize(
    "text", ["", "Dear Ann, see you on 5.5.2026", "version 1.2.3.4", "call 5551234"]
)
def test_a_text_that_refuses_nothing_is_no_bounce(text: str) -> None:
    """A report without a code and without known phrases is no bounce."""
    assert judge(text) is None
