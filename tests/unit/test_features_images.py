"""Images as grey vectors: exact where nothing must be done, and null for rubbish."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_digits

from sparkml.errors import InputError
from sparkml.features import images
from sparkml.features.images import image_gray


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    """The image as a file's bytes."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def one(data: bytes | None, **constants):
    """The vector of one image."""
    return image_gray(pa.array([data], pa.binary()), **constants)[0].as_py()


GREYS = np.arange(12, dtype=np.uint8).reshape(3, 4) * 23
GREY_PNG = encoded(Image.fromarray(GREYS))


def test_an_8_bit_grey_png_is_taken_byte_for_byte():
    """Row by row from the top left."""
    assert GREYS.flatten().tolist() == one(GREY_PNG, width=4, height=3)


def test_the_digits_come_back_exactly():
    """17 grey levels that were spread over 0 to 255 are whole numbers from 0 to 16 again."""
    digits = load_digits().data
    pngs = [
        encoded(Image.fromarray(np.rint(d * 255 / 16).astype(np.uint8).reshape(8, 8)))
        for d in digits
    ]

    got = image_gray(pa.array(pngs), width=8, height=8, maximum=16.0, whole=True)

    assert digits.tolist() == got.to_pylist()


def test_the_maximum_is_the_value_of_white():
    """g · maximum / 255, and nothing rounded unless it is asked for."""
    assert (GREYS.flatten() / 255).tolist() == one(GREY_PNG, width=4, height=3, maximum=1.0)
    assert {0.0, 1.0} == set(one(GREY_PNG, width=4, height=3, maximum=1.0, whole=True))


def test_another_size_is_resampled_by_pillow_s_bilinear():
    """As documented, to the same bytes; one size in both directions."""
    expected = Image.fromarray(GREYS).resize((2, 7), Image.Resampling.BILINEAR)

    assert list(expected.tobytes()) == one(GREY_PNG, width=2, height=7)


COLOURS = np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8)
LUMA = (COLOURS @ np.array([0.299, 0.587, 0.114])).flatten()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colours_become_luma(mode):
    """ITU-R BT.601, within the rounding of a byte."""
    image = Image.fromarray(COLOURS)
    image = image.quantize(256) if mode == "P" else image.convert(mode)

    assert LUMA == pytest.approx(one(encoded(image), width=4, height=3), abs=0.51)


def test_jpegs_are_read():
    """Grey, colour and CMYK, within what JPEG loses."""
    flat = Image.new("RGB", (8, 8), (200, 100, 50))
    luma = 0.299 * 200 + 0.587 * 100 + 0.114 * 50

    for mode in ("L", "RGB", "CMYK"):
        data = encoded(flat.convert(mode), "JPEG", quality=95)
        assert [pytest.approx(luma, abs=3)] * 4 == one(data, width=2, height=2)


def test_black_and_white_are_0_and_the_maximum():
    """A PNG of one bit a pixel."""
    image = Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1")

    assert [0.0, 255.0] == one(encoded(image), width=2, height=1)


def test_16_bits_are_brought_down_to_8_and_not_cut_off():
    """v / 257, rounded; Pillow's own conversion would make white of everything above 255."""
    deep = np.array([[0, 128, 129, 255, 256, 257, 32896, 65535]], np.uint16)

    assert [0, 0, 1, 1, 1, 1, 128, 255] == one(encoded(Image.fromarray(deep)), width=8, height=1)


def transparent_images():
    """A black pixel that can be seen, and one that cannot, in every way PNG has."""
    rgba = Image.new("RGBA", (2, 1), (0, 0, 0, 255))
    rgba.putpixel((1, 0), (0, 0, 0, 0))
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([0, 0, 0, 10, 10, 10])
    palette.putpixel((1, 0), 1)
    grey = Image.fromarray(np.array([[0, 7]], np.uint8))
    return {
        "rgba": encoded(rgba),
        "grey and alpha": encoded(rgba.convert("LA")),
        "a palette's colour": encoded(palette, transparency=1),
        "a grey value": encoded(grey, transparency=7),
        "a colour": encoded(grey.convert("RGB"), transparency=(7, 7, 7)),
    }


@pytest.mark.parametrize("name", transparent_images())
def test_what_is_transparent_is_white(name):
    """As on paper: black writing on nothing stays legible."""
    assert [0.0, 255.0] == one(transparent_images()[name], width=2, height=1)


def test_half_transparent_black_is_grey():
    """Laid over white by its alpha."""
    image = Image.new("RGBA", (1, 1), (0, 0, 0, 51))

    assert [204.0] == one(encoded(image), width=1, height=1)


@pytest.mark.parametrize(("kind", "near"), [("PNG", 0), ("JPEG", 8)])
def test_a_turned_image_is_turned_upright(kind, near):
    """EXIF's orientation 6: what is stored on the left belongs on top."""
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = np.repeat([0, 255], 8).astype(np.uint8).repeat(16).reshape(16, 16, order="F")
    data = encoded(Image.fromarray(stored), kind, exif=exif)

    got = one(data, width=16, height=16)[:: 16 * 15]  # the first value of the first and last rows

    assert [0.0, 255.0] == pytest.approx(got, abs=near)


def png_that_declares(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims any size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")


# Not compressed, and one pixel is another: only the checksums tell.
STORED_PNG = encoded(Image.fromarray(GREYS), compress_level=0)
FLIPPED_PNG = STORED_PNG.replace(b"\xb8\x17", b"\xb9\x17")


@pytest.mark.parametrize(
    "data",
    [
        None,
        b"",
        b"no image",
        GREY_PNG[:-20],
        GREY_PNG[:20],
        GREY_PNG.replace(b"IDAT", b"IDAX"),
        FLIPPED_PNG,
        encoded(Image.fromarray(GREYS), "BMP"),
        encoded(Image.fromarray(GREYS), "GIF"),
        encoded(Image.fromarray(GREYS), "JPEG")[:200],
        png_that_declares(10, 10_000),
        png_that_declares(0, 5),
        png_that_declares(8_193, 8_192),
        png_that_declares(10_000, 10_000),
        png_that_declares(2**31 - 1, 2**31 - 1),
    ],
    ids=lambda d: repr(d)[:30],
)
def test_what_cannot_be_decoded_is_null(data):
    """Cut off, damaged, of another format, or a bomb: never a number, and never an error."""
    assert one(data, width=4, height=3) is None


def test_a_bad_image_costs_only_its_own_row():
    """Its neighbours have their vectors; no rows at all are fine."""
    images_ = pa.array([GREY_PNG, b"?", None, GREY_PNG])

    got = image_gray(images_, width=4, height=3)

    assert [True, False, False, True] == got.is_valid().to_pylist()
    assert got[0] == got[3]
    assert pa.list_(pa.float64()) == got.type == image_gray(images_[:0]).type
    assert got[1:].to_pylist() == image_gray(images_[1:], width=4, height=3).to_pylist()


SAMPLES = [
    GREY_PNG,
    encoded(Image.fromarray(COLOURS).quantize(8)),
    encoded(Image.fromarray(COLOURS), "JPEG"),
    encoded(Image.fromarray(COLOURS), "JPEG", progressive=True),
]


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_no_damage_is_an_error(data):
    """Some bytes changed, dropped or doubled: a vector of the right length, or null."""
    damaged = bytearray(data.draw(st.sampled_from(SAMPLES)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))

    got = one(bytes(damaged), width=4, height=3)

    if damaged.startswith(b"\x89PNG"):
        assert got in (None, one(GREY_PNG, width=4, height=3), one(SAMPLES[1], width=4, height=3))
    assert got is None or (len(got) == 12 and 0 <= min(got) <= max(got) <= 255)


@pytest.mark.parametrize(("width", "height"), [(0, 8), (8, -1), (2**14, 2**14)])
def test_a_size_that_makes_no_sense_is_refused(width, height):
    """Before anything is decoded."""
    with pytest.raises(InputError, match="values"):
        one(GREY_PNG, width=width, height=height)


def test_the_largest_image_is_still_decoded(monkeypatch):
    """The limit itself is allowed, one more is not."""
    monkeypatch.setattr(images, "MAX_PIXELS", 12)
    assert one(GREY_PNG, width=4, height=3) is not None

    monkeypatch.setattr(images, "MAX_PIXELS", 11)
    assert one(GREY_PNG, width=4, height=3) is None
