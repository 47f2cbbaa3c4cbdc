"""Making a model of values that are valid already."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel

Model = TypeVar("Model", bound=BaseModel)


_set = object.__setattr__


def revived(kind: type[Model], values: dict[str, Any], given: set[str] | None = None) -> Model:
    """A model that holds `values`, one for every field, without looking at them again; the dict becomes the model's.

    So does `given`, the names of the fields that were given (all of them by default): only models that nobody changes
    may share one.

    `model_construct` without its search for defaults and aliases: 1 µs instead of 4, twice a step, where all that a
    step may cost beyond OpenEnv's own work is 15. For models without private attributes.
    """
    model = kind.__new__(kind)
    _set(model, "__dict__", values)
    _set(model, "__pydantic_fields_set__", set(values) if given is None else given)
    _set(model, "__pydantic_extra__", None)
    _set(model, "__pydantic_private__", None)
    return model
