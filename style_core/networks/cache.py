"""Caches of what was computed from pictures: by their digests, and by the pictures themselves."""

import hashlib
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from torch import Tensor

_Value = TypeVar("_Value")


class Cache:
    """A thread-safe cache that drops the least recently used values.

    Args:
        limit: of all values' sizes together.
        largest: of a single value's, which is kept even beyond the limit; larger ones are not cached.
    """

    def __init__(self, limit: int, largest: int):
        self._limit, self._largest = limit, largest
        self._sizes: dict[tuple, int] = {}
        self._values: OrderedDict[tuple, Any] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: tuple) -> Any:
        """The value of a key, or None if it isn't there."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def get(self, key: tuple, make: Callable[[], _Value], size_of: Callable[[_Value], int] = lambda value: 1) -> _Value:
        """The value of a key, made if it isn't there; two threads may make it at once."""
        known = self.find(key)
        if known is not None:
            return known
        value = make()
        size = size_of(value)
        if size > self._largest:
            return value
        with self._lock:
            self._values[key], self._sizes[key] = value, size
            while len(self._values) > 1 and sum(self._sizes.values()) > self._limit:
                oldest, _ = self._values.popitem(last=False)
                del self._sizes[oldest]
        return value


def digest_of(image: Tensor) -> bytes:
    """A digest of a tensor's values."""
    return hashlib.blake2b(image.contiguous().numpy().data, digest_size=16).digest()


class ByPicture:
    """What was computed from pictures, for as long as these exist. Thread-safe.

    Values are found by the picture's identity, so that its pixels need not be read; if they are changed in place, the value is computed
    again. A value must not refer to its picture, or both would stay for ever.
    """

    def __init__(self) -> None:
        self._known: dict[tuple, tuple[weakref.ref, int, Any]] = {}

    def get(self, picture: Tensor, key: Hashable, make: Callable[[], _Value]) -> _Value:
        """The value of a picture under a key, made if it isn't there; two threads may make it at once."""
        place = id(picture), key
        seen, version, value = self._known.get(place, (None, 0, None))
        if seen is not None and seen() is picture and version == picture._version:
            return value  # type: ignore[return-value]
        version, value = picture._version, make()
        # No lock is needed, because a dictionary's own operations are atomic.
        self._known[place] = weakref.ref(picture, lambda gone: self._forget(place, gone)), version, value
        return value

    def _forget(self, place: tuple, gone: weakref.ref) -> None:
        # The id of a picture that is gone may be another's by now, whose entry stays.
        entry = self._known.get(place)
        if entry is not None and entry[0] is gone:
            self._known.pop(place, None)

    def __len__(self) -> int:
        return len(self._known)
