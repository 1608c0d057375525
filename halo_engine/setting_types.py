"""The types of settings: which addresses, URLs, networks and names may be written, and the words
about any other.
"""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from halo_engine.domain.cell_names import ALLOWED, is_cell_name
from halo_engine.domain.fields.addresses import is_address, mail_domain
from halo_engine.mail.composing.links import base_url
from halo_engine.mail.transports.smtp_url import parse_smtp_url
from halo_engine.network import bind_address, networks
from halo_engine.server_urls import read_broker_url, read_database_url
from halo_engine.webhook_secrets import webhook_secrets


def _mail_address(address: str) -> str:
    if not is_address(address):
        raise ValueError("is no email address; write series@acme.example")
    return address


def _mail_domain(domain: str) -> str:
    found = mail_domain(domain)
    if found is None:
        raise ValueError("is no domain that mail can come to; write bounces.acme.example")
    return found


def _smtp_url(url: str) -> str:
    parse_smtp_url(url)
    return url


def _bind(address: str) -> str:
    bind_address(address)
    return address


def _networks(names: str) -> str:
    networks(names)
    return names


def _public_url(url: str) -> str:
    try:
        return base_url(url)
    except ValueError:
        problem = "is no plain https URL (http is for this machine alone)"
        raise ValueError(f"{problem}; write https://halo.acme.example") from None


def _webhook_secrets(given: str) -> str:
    webhook_secrets(given)
    return given


def _collector_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("is no URL of a collector; write http://127.0.0.1:4318")
    return url


def _cell_name(name: str) -> str:
    if not is_cell_name(name):
        raise ValueError(f"names no cell; allowed are {ALLOWED}")
    return name


DatabaseUrl = Annotated[str, AfterValidator(read_database_url)]
BrokerUrl = Annotated[str, AfterValidator(read_broker_url)]
SmtpUrl = Annotated[str, AfterValidator(_smtp_url)]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
MailDomain = Annotated[str, AfterValidator(_mail_domain)]
BaseUrl = Annotated[str, AfterValidator(base_url)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
CollectorUrl = Annotated[str, AfterValidator(_collector_url)]
BindAddress = Annotated[str, AfterValidator(_bind)]
Networks = Annotated[str, AfterValidator(_networks)]
WebhookSecrets = Annotated[str, AfterValidator(_webhook_secrets)]
CellName = Annotated[str, AfterValidator(_cell_name)]
