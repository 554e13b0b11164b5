"""What one image costs: the table has a row of its own for many a size and quality, e.g. "hd/1024-x-1792/dall-e-3"."""

from __future__ import annotations

import re

from .reading import dollars
from .table import Row, is_of, table


def variant(model: str, size: str | None, quality: str | None) -> tuple[str, Row] | None:
    """Key and row of a model at this size and quality; None where the table tells none apart.

    >>> variant("azure/dall-e-3", "1024x1792", "hd")[0]
    'azure/hd/1024-x-1792/dall-e-3'
    """
    match = re.fullmatch(r"(\d+)\s*[xX]\s*(\d+)", size or "")
    if not match:
        return None
    measure = f"{match[1]}-x-{match[2]}"
    provider, _, name = model.partition("/")
    # without a quality, DALL·E takes "standard"; the newer models choose one themselves, and say it nowhere
    usual = "standard" if quality is None and "dall-e" in name else quality
    forms = (
        [f"{usual}/{measure}/{name}", f"{measure}/{usual}/{name}", f"{measure}/{usual}/{model}"] if usual else []
    ) + ([f"{measure}/{name}"] if quality is None else [])
    for form in forms:
        for key in (f"{provider}/{form}", form):
            row = table().get(key)
            if row is not None and (key != form or is_of(row, provider)):
                return key, row
    return None


def image_price(row: Row, size: str | None) -> float | None:
    """Dollars for one image that comes out; None where it is not known.

    Args:
        row: the row of the model, or of its `variant`.
        size: e.g. "1024x1024", or a class such as "2K".
    """
    by_class = dollars(row.get(f"output_cost_per_image_{size}")) if size else None
    return _flat(row, size) if by_class is None else by_class


def _flat(row: Row, size: str | None) -> float | None:
    outward, inward = dollars(row.get("output_cost_per_image")), dollars(row.get("input_cost_per_image"))
    if outward is not None:
        return outward
    by_tokens = any("token" in name and row[name] for name in row if "cost" in name)
    if inward is not None and not by_tokens:  # then it is the name that older rows have for the same
        return inward
    rates = [dollars(row.get(name)) for name in ("input_cost_per_pixel", "output_cost_per_pixel")]
    match = re.fullmatch(r"(\d+)\s*[xX]\s*(\d+)", size or "")
    rate = sum(rate for rate in rates if rate is not None)
    return rate * int(match[1]) * int(match[2]) if match and rate else None
