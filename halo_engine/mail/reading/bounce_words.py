"""Phrases in the words of refusals, and the reason that each stands for (contract §2).

A phrase is a line of lower-case words. ``a|b`` matches either word, ``word*`` any word with this
beginning, ``*word*`` any word that contains this, ``..`` up to two words, ``...`` up to five, ``$``
the end, and ``{name}`` a word of a group below. Punctuation, addresses, URLs and host names are
removed from a text before the match.

The first reason with a matching phrase counts. Reasons that are not the recipient's fault come
first, so a refusal that names both is not for good.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from halo_engine.domain.bounce_reasons import BounceReason

#: Words that mean the same.
GROUPS: Final[Mapping[str, str]] = {
    "mailbox": "mailbox|mailboxes|inbox|maildrop|mailfolder|account|accounts",
    "recipient": "user|users|userid|username|recipient|recipients|mailbox|mailboxes|inbox|address|"
    "addresses|addressee|account|accounts|alias|email|person|part|subscriber|member|name",
    "mail": "message|messages|mail|mails|email|emails|letter|data|body|attachment",
    "host": "host|ip|server|network|mta|hostname|client|connection",
    "domain": "host|hosts|domain|domains|hostname|site",
    "sender": "sender|senders|originator|from|{absender}",
    "absender": "absender*|expéditeur|expediteur|remitente|remetente|mittente|afzender|avsändar*"
    "|afsender*|avsender*|lähettäjä*|gönderen*|nadawc*|odesílatel*|отправител*",
    "refused": "rejected|refused|denied|blocked|prohibited|forbidden|bounced",
    "refuse": "reject|refuse|deny|block|rejecting|refusing|denying|blocking",
    "not": "not|isnt|cannot|cant|couldnt|doesnt|dosnt|wasnt|arent|never|no",
    "absent": "unknown|nonexistent|nonexistant|nonexisting|invalid|undefined|bad|incorrect|"
    "unrecognized|unrecognised|undeliverable",
    # As servers write it in German, French, Spanish, Portuguese, Italian, Dutch, Czech, Polish,
    # Swedish, Danish, Norwegian, Finnish and Turkish.
    "stranger": "unbekannt*|inconnu*|desconocid*|desconhecid*|inexistente|sconosciut*|inesistente"
    "|onbekend*|neexistuje|neznám*|nieznan*|okänd*|ukendt*|ukjent*|tuntematon*|bulunamad\u0131",
    "error": "fehler*|erreur*|error|errore|erro|fout*|chyba*|błąd*|fel|fejl*|feil*|virhe*|hata*",
    "full": "voll|vol|pleine|lleno|llena|cheia|cheio|piena|full|fuld|täynnä|pełna|przepełniona|plná"
    "|переполнен|заполнен|megtelt|dolu",
    "known": "exist|exists|found|known|valid|recognized|recognised|registered|listed|located",
}

WORDS: Final[Mapping[BounceReason, str]] = {
    BounceReason.MAILBOX_FULL: """
        quota|mailboxfull|*overquota*|quotaexceed*
        {mailbox} ... full|exceed*
        full {mailbox}
        disk full
        exceed* ... storage|space|allocation
        {mailbox} ... over ... limit|size
        insufficient ... storage|space|room
        not enough|sufficient ... storage|space|room
        {not} have enough ... storage|space|room
        exhausted ... storage|space|room
        mailbox overlimit
        no|out ... space|room
        too many {mail} on|in
        storage|mailbox limit
        mailbox size limit
        postfach|postvak|boîte|boite|buzón|buzon|casilla|caixa|casella|brevlåda* ... {full}
        mailbox|postkasse*|postboks*|postilaatikko*|skrzynka|schránka ... {full}
        ящик|kutusu|postafiók* ... {full}
        speicherplatz
        *邮箱已满*
    """,
    BounceReason.AUTHENTICATION: """
        spf|dkim|dmarc*
        unauthenticated
        not authenticated
        authentication ... required|fail*|check*|information
        reverse ... dns|lookup|record|hostname|resolution
        ptr|rdns|reverso|inverso|inverse
        does not designate
    """,
    BounceReason.BLOCKLIST: """
        blocklist*|blacklist*|denylist*
        invalid|wrong ip
        block|black list*
        rbl|rbls|dnsbl|urbl|surbl|uribl
        spamhaus|spamcop|sorbs|senderbase
        reputation
        ip|host|server|sender|client|currently listed
        listed at|by
        banned
        client|your|this|sending|connecting {host} ... {refused}
        {host} ... blocked|blacklisted|listed
        {refuse} ... your|client {host}
        your {host} ... not allowed
        dynamic ... ip|address|pool|dialup
        mail|messages|connections from ... {not} accepted
    """,
    BounceReason.RATE: """
        too many ... {mail}
        too many ... connections|recipients|users|sessions|attempts|errors|invalid
        too many concurrent|simultaneous
        rate|sending|hourly|daily limit*
        limit*|exceeded ... rate
        throttl*
        too fast|frequent|frequently|often|quickly|busy
        temporarily deferred
        frequency limit*
        at a rate
        unusual rate|volume|traffic
        try again later
        greylist*|graylist*
    """,
    BounceReason.TOO_LARGE: """
        too big|large
        {mail} ... too long
        {mail} ... larger
        size|length limit*
        exceed* ... size
        message|mail|maximum|file size
        exceeds ... maximum
    """,
    BounceReason.SENDER_REFUSED: """
        {sender} ... {refused}|{absent}|{stranger}
        {sender} ... existiert|existe|nexiste|esiste|istnieje|encontrado|существует|найден
        {stranger} .. {absender}
        {sender} ... {not} {known}
        {sender} ... null mx
        unresolvable ... {sender}
        {sender} ... has no ... mx|dns|record|records
        sender domain ... must|fail*
        {sender} ... {not} allowed|accepted|permitted|authorized|verified|verify|resolve
        {sender} verif*
        {refused}|{refuse}|{absent} ... sender
        bogus|forged|unresolvable|unverified sender
        domain|address of sender
        senders domain|host|server
        your domain .. {not}|{absent}
        your .. host|server|servers ... {not} ... {known}
        return path
        mail from ... {refused}
        envelope from
        callout
        {not} accept* {mail} from
        helo|ehlo
    """,
    BounceReason.CONTENT: """
        spam*|antispam|nospam|junk*|unsolicited|ube|uce|bulk
        virus*|infected|malware|malicious|phish*
        suspicious|dangerous|profan*
        content|contents
        attachment|attachments
        filter*
        bad|invalid|missing|malformed ... header|headers
        header|headers ... bad|invalid|missing|malformed
        score
        line too long
    """,
    BounceReason.RELAYING: """
        relay*|rcpthosts
        not a gateway
        not .. local
        does not handle mail
    """,
    BounceReason.POLICY: """
        policy|policies|preferences
        prohibited|restrict*|administrative*|unauthorized|violat*|permission|complian*
        not authorized|authorised|permitted
        security ... reason|reasons|violation
        blocked|blocking
        rejected by destination domain
        whitelist*|challenge
        white list
        not accept* ... your
        autoris*|autoriz*|berechtig*|permiso*|permess*
    """,
    BounceReason.NETWORK: """
        timeout|unreachable|retries|expired|loop*|mailloop
        timed|time out
        no route
        connection ... refused|reset|lost|dropped|closed|failed|died|broken|attempt*
        lost|dropped connection
        retry ... time|timeout|limit
        too many hops
        hop count
        cannot|unable|couldnt|could ... connect|contact
        not respond*|responding
        {not} answer*
        not found try again
        temporar* ... fail*|error|unable
        system|server|host .. temporarily unavailable
        name server ... reply|failure|failed|error|unavailable
        servfail
        delivery time
        for ... hours|days
        been able to deliver in
    """,
    BounceReason.NULL_MX: """
        nullmx
        null mx
        domain|host does not accept {mail}|any
    """,
    BounceReason.DOMAIN_UNKNOWN: """
        unknown|bad|invalid|nonexistent .. {domain}
        no such {domain}
        {domain} .. unknown|invalid
        {domain} .. {not} .. {known}
        domain .. {not} reachable
        host|domain name not found
        host or domain name not found
        nxdomain
        unrouteable mail domain
        couldnt find any host
        couldnt find a mail exchanger
        nonexistent hosts
        name or service not known
        no mx
        no mail exchanger
        record indicated no smtp service
    """,
    BounceReason.MAILBOX_DISABLED: """
        disabled|disableduser|accountdisabled*|suspended|suspend|inactiv*|deactivated|discontinued|terminated|cancel*
        locked|frozen|closed|dormant
        not active|activated
        not accepting {mail}
        no longer accept*|active|available|work*
        temporarily unavailable
        cuenta|buzon|casilla|mailbox ... ha expirado
    """,
    BounceReason.SERVER: """
        system|local|internal|server|configuration|config|software|mailer|protocol|syntax error
        system|server|configuration problem|failure
        several matches found
        does not specify
        error in processing
        unable to process
        out of memory
        {stranger} .. {error}
        {error} .. {stranger}
        unrecognized command
        command ... unrecognized|unknown|unimplemented
        tls|starttls|ssl
    """,
    BounceReason.USER_UNKNOWN: """
        no such .. {recipient}
        no valid|matching {recipient}
        no user|account|recipient found|exists
        dont have .. user|mailbox|account
        unable to find alias|user|recipient|mailbox
        no such mail drop
        {absent} .. {recipient}
        {recipient} ... {absent}
        {recipient} ... {not} ... {known}
        {recipient} ... {not} .. here|ours
        no {recipient} .. here|that|this
        no mailbox
        not a|known|our|my .. {recipient}|customer
        nobody ... here
        no one with|by ... here
        rcpt ... dosnt|doesnt|not exist
        unrouteable|unroutable address
        unknown to|in ... us|system|directory|table
        no longer with|on|at|here|valid|exist*|in
        recipientnotfound|recipnotfound|nosuchuser
        {not} have ... {recipient}
        has|have|user moved|left
        not ... listed ... directory|book
        {recipient} not in .. directory|book|ldap
        not found in ldap
        mailbox|account|recipient .. deleted|removed
        {recipient} unavailable
        recipient cannot be verified
        {recipient} not available
        address error
        recipient|address|user rejected $
        {stranger}
        existiert nicht
        nicht bekannt
        nexiste pas
        no|non|não|nao existe|esiste|encontrado
        no se encuentra
        empfänger*|adressat*|benutzer*|postfach|konto|mailbox ... nicht gefunden|vorhanden
        geadresseerde*|ontvanger*|gebruiker*|postvak ... niet gevonden
        mottagare*|användare* ... finns inte|ej
        modtager*|mottaker*|bruger*|bruker* ... findes|finnes ikke
        nie ma takiego konta|adresu|użytkownika|odbiorcy
        nincs ilyen felhasznál*|cím*|postafiók*
        utilizator*|destinatar* inexistent
        *用户不存在*|*收件人不存在*|*邮箱不存在*|*账号不存在*|*ユーザーは存在しません*
        non répertorié|repertorie
        nie istnieje
        не существует|найден
    """,
}

_SIGNS: Final = {"..": r"(?: \S+){0,2}?", "...": r"(?: \S+){0,5}?", "$": "(?= $)"}
#: Host names of blocklists.
_LISTS: Final = re.compile(
    r"spamhaus|spamcop|sorbs|dnsbl|barracudacentral|senderbase|\b[ds]?u?r?bl\b"
)
#: URLs, addresses and host names, and Sendmail's note of the server that said so: they do not say
#: what is wrong.
_NAMES: Final = re.compile(
    r"(?:https?://|www\.|\brelay=)\S+|<?[^\s<>@:]{1,64}@[^\s<>@:]{1,253}>?|\b[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}\b"
)
_SPELLINGS: Final = (
    (re.compile(r"['’`]"), ""),
    (re.compile(r"[\W_]+"), " "),
    # Not the mailbox is full: the sender sends too much.
    (re.compile(r" (?:daily|hourly|sending|queue)(?: \w+){0,2}? quota"), " rate limit"),
)
_ALIKE: Final = (
    (" e mail", " email"),
    (" mail box", " mailbox"),
    (" non exist", " nonexist"),
    # Postfix's name of the table that lacks the recipient.
    (" relay recipient table", " recipient table"),
    # It was not the mail that was too long.
    (" queue too long", " queue expired"),
    # Who says so does not know.
    (" may not ", " perhaps "),
    (" might not ", " perhaps "),
)


def _phrase(line: str) -> str:
    """Return a phrase as a regular expression; each word begins with a space."""
    return "".join(_SIGNS.get(word, f" (?:{_word(word)})") for word in line.split())


def _word(word: str) -> str:
    grouped = word
    for name, members in GROUPS.items():
        grouped = grouped.replace(f"{{{name}}}", members)
    return grouped.replace("*", r"\w*")


def _compiled() -> Iterator[tuple[BounceReason, re.Pattern[str]]]:
    for reason, lines in WORDS.items():
        phrases = "|".join(_phrase(line) for line in lines.split("\n") if line.strip())
        yield reason, re.compile(f"(?:{phrases})(?= )")


_PATTERNS: Final = tuple(_compiled())


def _named(name: re.Match[str]) -> str:
    return " blocklist " if _LISTS.search(name[0]) else " "


def reason_in(words: str) -> BounceReason | None:
    """Return the reason in the words of a refusal; None if no phrase matches."""
    plain = f" {_NAMES.sub(_named, words.lower())} "
    for pattern, replacement in _SPELLINGS:
        plain = pattern.sub(replacement, plain)
    for written, meant in _ALIKE:
        plain = plain.replace(written, meant)
    return next((reason for reason, pattern in _PATTERNS if pattern.search(plain)), None)
