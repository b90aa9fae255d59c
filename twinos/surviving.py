"""What a constructor that names a journal says of it, and what its class must have then."""

from collections.abc import Iterable, Mapping

from twinos.errors import ContractError
from twinos.journal import Recording
from twinos.service import Service


def recording(marks: Iterable[object]) -> Recording:
    """What is recorded in a journal with these marks."""
    return next((mark for mark in marks if isinstance(mark, Recording)), Recording.STATE)


def check_survivor(service: type[Service], journals: Mapping[str, Recording]) -> None:
    """Refuse a service whose state can't survive it. ContractError."""
    where = f"{service.__name__}.__init__"
    if len(journals) > 1:
        raise ContractError(f"{where}: a service has one journal")
    noting = ("_unsaved", "_noted") if Recording.CHANGES in journals.values() else ()
    for hook in ("_saved", "_restored", *noting):
        if getattr(service, hook) is getattr(Service, hook):
            raise ContractError(f"{where}: a service with a journal has a method {hook}")
    if service.__overlaps__:
        raise ContractError(f"{where}: a service with a journal does not overlap its waits")
