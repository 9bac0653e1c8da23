"""Errors."""

from __future__ import annotations


class Error(Exception):
    """What went wrong.

    `message` says what and where, `remedies` what to do about it. For a setting out of its range, `name`, `value` and
    `allowed` say which, what it was, and what it may be.
    """

    message: str
    remedies: list[str]
    name: str | None = None
    value: str | None = None
    allowed: str | None = None

    def __init__(self, message: str, remedies: list[str] | None = None) -> None:
        super().__init__(message, remedies or [])
        self.message = message
        self.remedies = remedies or []

    def __str__(self) -> str:
        return "\n".join([self.message, *(f"help: {remedy}" for remedy in self.remedies)])


class UsageError(Error, ValueError):
    """Something was asked for wrongly: a setting, a folder, a combination."""
