"""The mapping that a file's header suggests, for exports of other products (contract §2)."""

import pytest

from halo_engine.contacts.csv_import.mapping import field_of
from halo_engine.contacts.csv_import.suggestion import NAMES, suggest
from halo_engine.domain.errors import Refusal

EXPORTS = {
    "Mailchimp": (
        "Email Address,First Name,Last Name,Phone Number,MEMBER_RATING,OPTIN_TIME,EUID,TAGS",
        {
            "Email Address": "email",
            "First Name": "first_name",
            "Last Name": "last_name",
            "OPTIN_TIME": "signed_up_at",
        },
    ),
    "Mailchimp, who has unsubscribed": (
        "Email Address,FNAME,LNAME,MEMBER_RATING,UNSUB_TIME,UNSUB_CAMPAIGN_ID,UNSUB_REASON,EUID",
        {
            "Email Address": "email",
            "FNAME": "first_name",
            "LNAME": "last_name",
            "UNSUB_TIME": "unsubscribed",
        },
    ),
    "HubSpot": (
        "Record ID,First Name,Last Name,Email,Create Date,Unsubscribed from all email",
        {
            "First Name": "first_name",
            "Last Name": "last_name",
            "Email": "email",
            "Create Date": "signed_up_at",
            "Unsubscribed from all email": "unsubscribed",
        },
    ),
    "Intercom": (
        "Name,Email,User ID,Signed up,Last seen,Unsubscribed from Emails,Plan",
        {
            "Name": "name",
            "Email": "email",
            "User ID": "external_id",
            "Signed up": "signed_up_at",
            "Unsubscribed from Emails": "unsubscribed",
            "Plan": "plan",
        },
    ),
    "Customer.io": (
        "cio_id,id,email,created_at,unsubscribed,first_name",
        {
            "id": "external_id",
            "email": "email",
            "created_at": "signed_up_at",
            "unsubscribed": "unsubscribed",
            "first_name": "first_name",
        },
    ),
    "Outlook in German": (
        "Anrede,Vorname,Nachname,E-Mail-Adresse",
        {"Vorname": "first_name", "Nachname": "last_name", "E-Mail-Adresse": "email"},
    ),
    "Outlook in French": (
        "Titre,Prénom,Nom,Adresse de messagerie",
        {"Prénom": "first_name", "Nom": "last_name", "Adresse de messagerie": "email"},
    ),
    "Outlook in Spanish": (
        "Nombre,Apellidos,Dirección de correo electrónico",
        {
            "Nombre": "first_name",
            "Apellidos": "last_name",
            "Dirección de correo electrónico": "email",
        },
    ),
    "Outlook in Chinese": (
        "名字,姓氏,公司,電子郵件地址",
        {"名字": "first_name", "姓氏": "last_name", "電子郵件地址": "email"},
    ),
    "Thunderbird in German": (
        "Vorname,Nachname,Anzeigename,Primäre E-Mail-Adresse,Sekundäre E-Mail-Adresse",
        {"Anzeigename": "name", "Primäre E-Mail-Adresse": "email"},
    ),
    "Thunderbird in Slovak": (
        "Krstné meno,Priezvisko,E-mailová adresa",
        {"Krstné meno": "first_name", "Priezvisko": "last_name", "E-mailová adresa": "email"},
    ),
    "Brevo": (
        "EMAIL,EXT_ID,LASTNAME,FIRSTNAME,SMS,ADDED_TIME,MODIFIED_TIME",
        {
            "EMAIL": "email",
            "EXT_ID": "external_id",
            "LASTNAME": "last_name",
            "FIRSTNAME": "first_name",
            "ADDED_TIME": "signed_up_at",
        },
    ),
    "Salesforce, a report": (
        "First Name,Last Name,Title,Account Name,Email,Created Date,Email Opt Out",
        {
            "First Name": "first_name",
            "Last Name": "last_name",
            "Email": "email",
            "Created Date": "signed_up_at",
            "Email Opt Out": "unsubscribed",
        },
    ),
    "Salesforce, Data Loader": (
        "ID,ACCOUNTID,LASTNAME,FIRSTNAME,EMAIL,CREATEDDATE,HASOPTEDOUTOFEMAIL",
        {
            "LASTNAME": "last_name",
            "FIRSTNAME": "first_name",
            "EMAIL": "email",
            "CREATEDDATE": "signed_up_at",
            "HASOPTEDOUTOFEMAIL": "unsubscribed",
        },
    ),
    "Google Contacts": (
        "First Name,Last Name,E-mail 1 - Label,E-mail 1 - Value,E-mail 2 - Value",
        {"First Name": "first_name", "Last Name": "last_name", "E-mail 1 - Value": "email"},
    ),
    "Google Contacts, before 2024": (
        "Name,Given Name,Family Name,E-mail 1 - Type,E-mail 1 - Value",
        {"Name": "name", "E-mail 1 - Value": "email"},
    ),
    "Stripe": (
        "id,Description,Email,Name,Created (UTC),Delinquent,Plan,Status,user_id (metadata)",
        {
            "Email": "email",
            "Name": "name",
            "Created (UTC)": "signed_up_at",
            "Plan": "plan",
            "user_id (metadata)": "external_id",
        },
    ),
    "Stripe, without metadata": (
        "id,Description,Email,Name,Created (UTC),Delinquent",
        {"Email": "email", "Name": "name", "Created (UTC)": "signed_up_at"},
    ),
    "Segment": (
        "userId,email,name,createdAt,plan",
        {
            "userId": "external_id",
            "email": "email",
            "name": "name",
            "createdAt": "signed_up_at",
            "plan": "plan",
        },
    ),
    "Stripe, the columns of today": (
        "id,Email,Name,Created (UTC),Total Spend,Payment Count",
        {"Email": "email", "Name": "name", "Created (UTC)": "signed_up_at"},
    ),
    "Salesforce, leads": (
        "Id,FirstName,LastName,Email,HasOptedOutOfEmail,IsConverted",
        {
            "FirstName": "first_name",
            "LastName": "last_name",
            "Email": "email",
            "HasOptedOutOfEmail": "unsubscribed",
        },
    ),
    "Ghost": (
        "id,email,name,subscribed_to_emails,complimentary_plan,created_at",
        {"email": "email", "name": "name", "created_at": "signed_up_at"},
    ),
    "Intercom, dates with their zone": (
        "Name,Email,User ID,Signed up (Europe/London)",
        {
            "Name": "name",
            "Email": "email",
            "User ID": "external_id",
            "Signed up (Europe/London)": "signed_up_at",
        },
    ),
    "HubSpot, dates with their zone": (
        "Record ID,Email,Create Date (EST)",
        {"Email": "email", "Create Date (EST)": "signed_up_at"},
    ),
    "ActiveCampaign": (
        "Email,First Name,Last Name,Date Created,Status",
        {
            "Email": "email",
            "First Name": "first_name",
            "Last Name": "last_name",
            "Date Created": "signed_up_at",
        },
    ),
    "Substack": (
        "email,active_subscription,email_disabled,created_at",
        {"email": "email", "email_disabled": "unsubscribed", "created_at": "signed_up_at"},
    ),
    "WordPress": (
        "user_email,display_name,user_registered",
        {"user_email": "email", "display_name": "name", "user_registered": "signed_up_at"},
    ),
    "a Polish list": (
        "Imię,Nazwisko,Adres e-mail",
        {"Imię": "first_name", "Nazwisko": "last_name", "Adres e-mail": "email"},
    ),
    "a Japanese list": ("氏名,メールアドレス", {"氏名": "name", "メールアドレス": "email"}),
    "Outlook": (
        "First Name,Middle Name,Last Name,Company,E-mail Address,E-mail Type,E-mail 2 Address",
        {"First Name": "first_name", "Last Name": "last_name", "E-mail Address": "email"},
    ),
    "Thunderbird": (
        "First Name,Last Name,Display Name,Nickname,Primary Email,Secondary Email",
        {"Display Name": "name", "Primary Email": "email"},
    ),
}


@pytest.mark.parametrize("product", EXPORTS)
def test_an_export_suggests_its_mapping(product: str) -> None:
    """The suggestion follows the columns' order; columns without a field are listed apart."""
    header, mapping = EXPORTS[product]
    suggested = suggest(header.split(","))
    assert dict(suggested.mapping) == mapping
    assert list(suggested.mapping) == [name for name in header.split(",") if name in mapping]
    assert list(suggested.others) == [name for name in header.split(",") if name not in mapping]


def test_a_column_that_comes_twice_is_not_suggested() -> None:
    """A column that comes twice is not suggested, since it is unclear which is meant."""
    assert dict(suggest(["Email", "Name", "Name", ""]).mapping) == {"Email": "email"}


def test_nothing_is_suggested_where_nobody_is_named() -> None:
    """Without a column that identifies contacts the refusal lists the columns."""
    with pytest.raises(Refusal, match=r"no column is known .* the file has ‘Phone’, ‘City’$"):
        suggest(["Phone", "City"])


def test_every_suggested_field_is_one() -> None:
    """Every suggestion is a field, and no name stands for two."""
    for field in NAMES:
        field_of(field)
    names = [name for known in NAMES.values() for name in known]
    assert sorted(names) == sorted(set(names))
    assert all(name == name.casefold() and name.isalnum() for name in names)
