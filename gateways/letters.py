"""How mails look: a template and its values become a message in plain text and in HTML.

The words stand in `gateways/templates/`: of each template a text file, which holds the subject too, and an HTML file.
"""

from datetime import UTC, date, datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from statemachines.messages import SendMail
from statemachines.values import money


def _date(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def _moment(moment: datetime) -> str:
    return f"{_date(moment.astimezone(UTC))}, {moment.astimezone(UTC):%H:%M} UTC"


_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters.update(money=money, date=_date, moment=_moment)


def compose(asked: SendMail, key: str, sender: str, shop: str) -> EmailMessage:
    """Return the mail that was asked for.

    Args:
        asked: to whom it goes, and what it says.
        key: names the mail; the same key makes the same Message-ID, by which a mail that came twice is known.
        sender: the address it comes from.
        shop: the name it comes from, and that it is signed with.

    Raises:
        ValueError: a header would hold a line break.
    """
    name = asked.message.template
    text, html = _TEMPLATES.get_template(f"{name}.txt"), _TEMPLATES.get_template(f"{name}.html")
    values = {**dict(asked.message), "shop": shop}
    subject = "".join(text.blocks["subject"](text.new_context(values)))
    mail = EmailMessage(policy.SMTP)
    mail["Subject"] = subject
    mail["From"] = Address(shop, addr_spec=sender)
    mail["To"] = Address(addr_spec=asked.to)
    if asked.reply_to:
        mail["Reply-To"] = Address(addr_spec=asked.reply_to)
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = f"<{key}@{sender.partition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
    mail.set_content(text.render(values))
    mail.add_alternative(html.render(values, title=subject), subtype="html")
    return mail
