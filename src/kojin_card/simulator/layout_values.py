"""Values that a persona declares, in the types that the codec wants for the fields of a layout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kojin_card.errors import SpecError
from kojin_card.spec.model import FieldType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kojin_card.spec.codec import Value
    from kojin_card.spec.model import FieldSpec, LayoutSpec


def _field(layout: LayoutSpec, name: str) -> FieldSpec:
    for field in layout.walk():
        if field.name == name:
            return field
    raise SpecError("the layout has no such field", file="", table=f"{layout.id}.{name}")


def length_of(layout: LayoutSpec, name: str) -> int:
    """How many bytes a field has; 0 where that differs."""
    return _field(layout, name).length or 0


def typed(layout: LayoutSpec, values: Mapping[str, str | int]) -> dict[str, Value]:
    """Declared values as the codec wants them: hex becomes bytes where the field is bytes."""
    values_of: dict[str, Value] = {}
    for name, value in values.items():
        if _field(layout, name).type is FieldType.BYTES and isinstance(value, str):
            try:
                values_of[name] = bytes.fromhex(value)
            except ValueError:
                raise SpecError("a value must be hex", file="", table=f"{layout.id}.{name}") from None
        else:
            values_of[name] = value
    return values_of
