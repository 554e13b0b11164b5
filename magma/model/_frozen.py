"""Dicts and lists that cannot be changed, so that a handle that holds them is a value: hashable, picklable."""

from __future__ import annotations

from typing import Any, NoReturn

from ..errors import ConfigError
from ..messages import own


def _refuse_change(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
    raise TypeError(f"a {type(self).__name__} cannot be changed; use with_() to make a changed handle")


class FrozenDict(dict[str, Any]):
    """A read-only dict; equal to a plain one with the same content.

    >>> FrozenDict(a=1) == {"a": 1}
    True
    """

    _refuse: Any = _refuse_change
    __setitem__ = __delitem__ = __ior__ = update = setdefault = pop = popitem = clear = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        return freeze, (thaw(self),)

    def __copy__(self) -> FrozenDict:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> FrozenDict:
        return self


class FrozenList(list[Any]):
    """A read-only list; equal to a plain one with the same content."""

    _refuse: Any = _refuse_change
    __setitem__ = __delitem__ = __iadd__ = __imul__ = append = extend = insert = _refuse
    pop = remove = clear = sort = reverse = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self))

    def __reduce__(self) -> tuple[Any, ...]:
        return freeze, (thaw(self),)

    def __copy__(self) -> FrozenList:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> FrozenList:
        return self


def freeze(value: Any) -> Any:
    """`value` (plain data) with every dict and list in it made read-only."""
    if isinstance(value, (FrozenDict, FrozenList)):
        return value
    if isinstance(value, dict):
        return FrozenDict((name, freeze(item)) for name, item in value.items())
    if isinstance(value, (list, tuple)):
        return FrozenList(freeze(item) for item in value)
    return value


def thaw(value: Any) -> Any:
    """The plain, changeable copy of a frozen value."""
    if isinstance(value, dict):
        return {name: thaw(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [thaw(item) for item in value]
    return value


def frozen_mapping(value: Any, where: str) -> FrozenDict:
    """A frozen copy of a mapping of plain data.

    Raises:
        ConfigError: not a mapping, or something in it that JSON cannot carry.
    """
    from collections.abc import Mapping

    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} must be a dict, not {type(value).__name__}")  # the value may be a secret
    result: FrozenDict = freeze(own(value, where))
    return result
