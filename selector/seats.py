"""Users who are followed, in bounded memory: those who come most often."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar
from zlib import crc32


class Guest(Protocol):
    """One user who is followed, known by a hash; `patience` is how many others may come before the seat is lost."""

    tag: int
    patience: int


Seated = TypeVar("Seated", bound=Guest)


def seated(guests: dict[int, Seated], seats: int, user: str, begin: Callable[[int], Seated]) -> Seated | None:
    """This user, who has come once more, if there is a seat, one of `seats`; `begin` makes the guest of a tag.

    Whoever has a seat keeps it as long as others come less often (Misra & Gries: Finding repeated elements, 1982).
    """
    tag = crc32(user.encode())
    seat = tag % seats
    guest = guests.get(seat)
    if guest is None or (guest.tag != tag and guest.patience == 0):
        guest = guests[seat] = begin(tag)
    if guest.tag != tag:
        guest.patience -= 1
        return None
    guest.patience += 1
    return guest
