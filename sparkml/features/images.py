"""Features of images: PNG or JPEG bytes as a vector of grey values. The file that knows Pillow."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import pyarrow as pa

from sparkml.errors import InputError
from sparkml.features.table import check_values
from sparkml.models.extras import need

MAX_PIXELS = 2**26
"""The largest image that is decoded, in pixels as its header declares them; as RGBA, 256 MiB."""

EXAMPLE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAAAAADRSSBWAAAAC0lEQVR42mNgMAYAADYANKqWpHYAAAAASUVORK5CYII="
)
"""A PNG of one black and one dark pixel, in base 64."""

FORMATS = ("PNG", "JPEG")

_WHITE = (255, 255, 255, 255)
_SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N", "I")


def image_gray(
    image: pa.Array,
    *,
    width: int = 28,
    height: int = 28,
    maximum: float = 255.0,
    whole: bool = False,
) -> pa.Array:
    """A PNG's or JPEG's grey values, row by row from the top left: `width` × `height` doubles.

    Black is 0 and white `maximum`: value = g · maximum / 255 for the grey byte g, which is exact
    for 255; `whole` rounds it to the nearest whole number, which gives back exactly what was drawn
    in `maximum` + 1 grey levels (scikit-learn's digits: `maximum => 16, whole => true`).

    How g is found, in this order: the first frame is decoded; turned as its EXIF orientation says;
    16-bit grey v becomes round(v / 257), and of 16-bit colours Pillow keeps the high byte;
    transparent pixels are laid over white; palettes, CMYK and colours become luma (ITU-R BT.601:
    0.299 R + 0.587 G + 0.114 B, as Pillow rounds it); gamma and colour profiles are ignored; any
    other size than the one asked for is resampled with Pillow's BILINEAR (when shrinking, a
    triangle over all pixels that fall under it), the aspect not kept. So an 8-bit grey image of the
    right size is taken byte for byte.

    Null for a null, and for what cannot be decoded: files that are cut off or damaged (a PNG by its
    checksums; a JPEG has none, so only where its decoder stumbles), other formats, and images that
    declare more than `MAX_PIXELS` (decompression bombs; nothing of them is decoded). Before a
    model, its null policy then decides about the row: by default it is quarantined with its code.
    Costs the decoding, and 8 bytes a value.

    Raises:
        InputError: a size below 1, no finite `maximum`, or more than 1 GiB of values in one batch.
        ExtraMissing: Pillow is not installed.

    >>> import io, PIL.Image
    >>> file = io.BytesIO()
    >>> PIL.Image.frombytes("L", (2, 1), bytes([0, 51])).save(file, "PNG")
    >>> image_gray(pa.array([file.getvalue(), b"no image", None]), width=2, height=1).to_pylist()
    [[0.0, 51.0], None, None]
    """
    size = width * height
    if min(width, height) < 1 or not np.isfinite(maximum):
        raise InputError(
            f"an image of {width} × {height} values up to {maximum}",
            where="image_gray",
            fix="ask for at least one value, and a finite maximum",
        )
    check_values(len(image), size, where="image_gray")
    pillow = need("PIL.Image", extra="images", why="image_gray")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what Pillow skips in a file, of how large it is
        greys = [_grey_bytes(pillow, i, width, height) for i in image.to_pylist()]
    found = np.frombuffer(b"".join(g for g in greys if g is not None), np.uint8)
    values = found * maximum / 255.0
    ends = np.cumsum([0] + [0 if g is None else size for g in greys], dtype=np.int32)
    offsets = pa.array(ends, mask=np.array([*(g is None for g in greys), False]))
    return pa.ListArray.from_arrays(offsets, np.rint(values) if whole else values)


def _grey_bytes(pillow: Any, image: bytes | None, width: int, height: int) -> bytes | None:
    if image is None:
        return None
    try:
        with pillow.open(io.BytesIO(image), formats=FORMATS) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                return None
            opened.verify()  # a PNG's checksums, to its end; decoding stops at the last pixel
        with pillow.open(io.BytesIO(image), formats=FORMATS) as opened:
            grey = _grey(opened)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - made-up files bring about whatever error Python has
        return None
    if grey.size != (width, height):
        grey = grey.resize((width, height), pillow.Resampling.BILINEAR)
    return bytes(grey.tobytes())


def _grey(opened: Any) -> Any:
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(opened)
    if image.mode in _SIXTEEN_BITS:  # `convert` would cut everything above 255 off
        return Image.fromarray(np.rint(np.asarray(image) / 257).astype(np.uint8))
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, _WHITE), image.convert("RGBA"))
    return image.convert("L")
