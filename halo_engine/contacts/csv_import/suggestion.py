"""Suggests a mapping from column names as other products export them (§2, CSV)."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from halo_engine.contacts.csv_import.file import CsvReader
from halo_engine.contacts.csv_import.mapping import EXTERNAL_ID, NAME_PARTS, OPT_OUT
from halo_engine.contacts.csv_import.text import open_csv
from halo_engine.domain.errors import bad_input, shown
from halo_engine.domain.nearness import letters_of

#: The names of each field in exports, the most certain first, in lower case without accents, blanks
#: and signs: "E-mail 1 - Value" is ``email1value``.
NAMES: Final[Mapping[str, Sequence[str]]] = {
    EXTERNAL_ID: (
        "externalid",
        "extid",  # Brevo
        "useridmetadata",  # Stripe, with metadata
        "userid",  # Intercom, Segment, PostHog
        "localid",  # Firebase
        "distinctid",  # Mixpanel
        "id",  # Customer.io, databases; see _OTHERS_IDS
    ),
    "email": (
        "email",  # HubSpot, Intercom, Customer.io, Brevo, Salesforce, Stripe
        "emailaddress",  # Mailchimp, Outlook
        "email1value",  # Google Contacts
        "primaryemail",  # Thunderbird
        "workemail",
        "emailprimary",
        "primaryemailaddress",  # Clerk
        "emailadresse",  # Outlook and others in German, French, Spanish, Italian, Dutch, Portuguese
        "adresseemail",
        "adressedemessagerie",
        "correoelectronico",
        "direcciondecorreoelectronico",
        "indirizzoemail",
        "indirizzodipostaelettronica",
        "emailadres",
        "enderecodeemail",
        "epostadress",  # Swedish, Norwegian, Finnish, Polish, Turkish, Russian, Chinese, Japanese
        "epost",
        "sahkoposti",
        "adresemail",
        "eposta",
        "электроннаяпочта",
        "电子邮件",
        "电子邮箱",
        "邮箱",
        "メールアドレス",
        "이메일",
        "адресэлектроннойпочты",
        "電子郵件地址",
        "电子邮件地址",
        "emailovaadresa",
        "primareemailadresse",  # Thunderbird, in other languages
        "adresseelectroniqueprincipale",
        "direcciondecorreoelectronicoprincipal",
        "emailprincipale",
        "emailprimario",
        "ensisijainensahkoposti",
        "主要email",
        "emailwork",  # Roundcube
        "emailhome",
        "useremail",
        "customeremail",
        "contactemail",  # Mailjet
        "email1",  # Wix
        "personemailwork",  # Pipedrive
        "subscriber",  # MailerLite
        "emailid",
        "mailadresse",
        "mail",
    ),
    "name": (
        "name",
        "fullname",
        "displayname",
        "contactname",
        "customername",
        "nombrecompleto",
        "nomcompleto",
        "nomecompleto",
        "volledigenaam",
        "氏名",
        "姓名",
        "anzeigename",  # Thunderbird, in other languages
        "nomaafficher",
        "nombreenpantalla",
        "nomevisualizzato",
        "nayttonimi",
        "отображаемоеимя",
        "zobrazovanemeno",
        "顯示名稱",
    ),
    "first_name": (
        "firstname",
        "fname",
        "givenname",
        "vorname",
        "prenom",
        "nombre",
        "nome",
        "voornaam",
        "fornamn",
        "fornavn",
        "etunimi",
        "imie",
        "jmeno",
        "krstnemeno",
        "primeironome",
        "имя",
        "名字",
        "名",
    ),
    "last_name": (
        "lastname",
        "lname",
        "familyname",
        "surname",
        "nachname",
        "nom",
        "apellidos",
        "cognome",
        "achternaam",
        "sobrenome",
        "ultimonome",
        "apelido",
        "apellido",
        "efternamn",
        "efternavn",
        "etternavn",
        "sukunimi",
        "nazwisko",
        "prijmeni",
        "priezvisko",
        "фамилия",
        "姓氏",
        "姓",
    ),
    "signed_up_at": (
        "signedupat",
        "signedup",  # Intercom
        "signupdate",
        "createdat",  # Customer.io, Segment
        "createdate",  # HubSpot
        "createddate",  # Salesforce
        "createdutc",  # Stripe
        "optintime",  # Mailchimp
        "addedtime",  # Brevo
        "registeredat",
        "userregistered",  # WordPress
        "datejoined",
        "dateregistered",  # systeme.io
        "datecreated",  # ActiveCampaign, EmailOctopus
        "profilecreatedon",  # Klaviyo
        "createdtime",  # Zoho
        "createdon",  # Dynamics
        "addedon",  # GetResponse
        "datesubscribed",  # Campaign Monitor
        "subscribedon",  # Squarespace
        "dateadded",
        "registrationdate",
        "creationdate",
        "anmeldedatum",
        "erstelltam",
        "registriertam",
        "datedinscription",
        "datedecreation",
        "fechaderegistro",
        "fechadecreacion",
        "datadicreazione",
        "datadecriacao",
        "aanmaakdatum",
        "created",
    ),
    "renewal_date": ("renewaldate",),
    "on_contract": ("oncontract",),
    "plan": ("plan", "planname"),
    "role": ("role", "userrole"),
    "avatar": ("avatar", "avatarurl"),
    OPT_OUT: (
        "unsubscribed",  # Customer.io
        "unsubscribedfromallemail",  # HubSpot
        "unsubscribedfromemails",  # Intercom
        "hasoptedoutofemail",  # Salesforce, Data Loader
        "emailoptout",  # Salesforce, reports
        "emailblacklisted",  # Brevo
        "blacklist",
        "unsubtime",  # Mailchimp, who has unsubscribed
        "emaildisabled",  # Substack
        "donotallowemails",  # Dynamics
        "isexcludedfromcampaigns",  # Mailjet
        "emailpermissionstatus",  # Constant Contact
        "emailsubscriberstatus",  # Wix
        "donotemail",
        "donotcontact",
        "optedout",
        "optout",
    ),
}
#: Columns of products whose `id` is their own and not the application's.
_OTHERS_IDS: Final = (
    *("delinquent", "createdutc", "totalspend"),  # Stripe
    *("accountid", "contactownerid", "hasoptedoutofemail", "isconverted"),  # Salesforce
    *("subscribedtoemails", "complimentaryplan"),  # Ghost
    *("recordid", "euid", "leid", "subscriptiontier", "personcreated", "autocollection"),
)
#: Behind the name of a column of dates: the zone that they are in.
_ZONE: Final = re.compile(
    r"\s*\((?:[A-Z]{2,5}(?:[+-][0-9:]{1,5})?|[A-Za-z_]+(?:/[A-Za-z_]+){1,2})\)$"
)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The field of each column whose name is known, and the other columns."""

    mapping: Mapping[str, str]
    others: Sequence[str]


def suggest_for_file(
    path: Path, separator: str | None = None, encoding: str | None = None
) -> Suggestion:
    """Suggest a mapping from a file's header; raises 400 as ``suggest`` does."""
    with open_csv(path, encoding) as file:
        return suggest(CsvReader(file, separator).header.names)


def suggest(names: Sequence[str]) -> Suggestion:
    """Suggest a mapping for columns of these names, with one column at most for each field.

    Raises a 400 if no column is known as an external ID or an email.
    """
    mapping = known_columns(names)
    if not {EXTERNAL_ID, "email"} & set(mapping.values()):
        listed = ", ".join(map(shown, filter(None, names))) or "none"
        problem = f"no column is known as an email or an external ID; the file has {listed}"
        raise bad_input("map", problem, "bad_mapping")
    return Suggestion(mapping, [name for name in names if name and name not in mapping])


def known_columns(names: Sequence[str]) -> Mapping[str, str]:
    """Return the field of each column whose name is known, one column at most for each field."""
    single = [name for name, count in Counter(names).items() if name and count == 1]
    usable = {letters_of(_ZONE.sub("", name)): name for name in single}
    usable |= {letters_of(name): name for name in single}
    found: dict[str, str] = {}
    for field, known in NAMES.items():
        column = next((usable[each] for each in map(letters_of, known) if each in usable), None)
        if column is not None:
            found[field] = column
    if found.get(EXTERNAL_ID, "").casefold() == "id" and _is_anothers(usable):
        del found[EXTERNAL_ID]
    if "name" in found:
        for part in NAME_PARTS:
            found.pop(part, None)
    fields = {column: field for field, column in found.items()}
    return {name: fields[name] for name in names if name in fields}


def _is_anothers(folded: Collection[str]) -> bool:
    return any(each in folded for each in _OTHERS_IDS)
