"""The state of the whole installation: one row, made when there is something to store (§9)."""

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Table, Text, text

from halo_engine.sql.metadata import INSTANT, metadata

#: ``ticked_at``: when the last tick came, from any beat; ``ticks``: how many came.
#: ``mail_down_since``: since when the workers last found the mail server down, and in what words.
installation = Table(
    "installation",
    metadata,
    Column("singleton", Boolean, primary_key=True, server_default=text("true")),
    Column("ticked_at", INSTANT),
    Column("ticks", BigInteger, nullable=False, server_default=text("0")),
    Column("sending_stopped_at", INSTANT),
    Column("sending_stopped_by", Text),
    # When an operator last ordered to stop or start mail.
    Column("sending_ordered_at", INSTANT),
    Column("mail_down_since", INSTANT),
    Column("mail_down_reason", Text),
    CheckConstraint("singleton", name="one_row"),
    CheckConstraint(
        "(sending_stopped_at IS NULL) = (sending_stopped_by IS NULL)", name="stopped_by_somebody"
    ),
    CheckConstraint(
        "(mail_down_since IS NULL) = (mail_down_reason IS NULL)", name="down_for_a_reason"
    ),
)
