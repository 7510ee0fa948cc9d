"""Dates and times in one form of text, whatever form they are given in."""

# Inserted by awm-gym: times have no fractions of seconds, and text in ISO 8601 is taken for what it says.
import datetime as _awm_datetime
import typing as _awm_typing

from sqlalchemy.dialects.sqlite import DATE as _AwmSqliteDate
from sqlalchemy.dialects.sqlite import DATETIME as _AwmSqliteDateTime
from sqlalchemy.types import TypeDecorator as _AwmTypeDecorator

_AwmValue = _awm_typing.Any


def _awm_moment(value: _AwmValue) -> "_awm_datetime.datetime | None":
    """The time that a text says; None if it is none."""
    try:
        return _awm_datetime.datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
    except (AttributeError, ValueError):
        return None


class _AwmDateTime(_AwmTypeDecorator[_AwmValue]):
    """As DateTime."""

    impl = _AwmSqliteDateTime
    cache_ok = True

    def __init__(self, timezone: bool = False) -> None:
        super().__init__(truncate_microseconds=True)

    def process_bind_param(self, value: _AwmValue, dialect: _AwmValue) -> _AwmValue:
        return _awm_moment(value) or value

    def coerce_compared_value(self, op: _AwmValue, value: _AwmValue) -> _AwmValue:
        return self if _awm_moment(value) else self.impl_instance.coerce_compared_value(op, value)


class _AwmDate(_AwmTypeDecorator[_AwmValue]):
    """As Date."""

    impl = _AwmSqliteDate
    cache_ok = True

    def process_bind_param(self, value: _AwmValue, dialect: _AwmValue) -> _AwmValue:
        moment = _awm_moment(value)
        return moment.date() if moment else value

    def coerce_compared_value(self, op: _AwmValue, value: _AwmValue) -> _AwmValue:
        return self if _awm_moment(value) else self.impl_instance.coerce_compared_value(op, value)
