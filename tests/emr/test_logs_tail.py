"""A log that grows: only what is new in it is told, and never all of it held."""

from __future__ import annotations

import gzip
import re
import tracemalloc
import zlib

import pytest

from emr.aws.logs.tail import LONGEST, Tail, Unpacked


class TestTail:
    def test_only_what_is_new_comes_out(self):
        tail = Tail()
        assert "one\n" == tail.add([gzip.compress(b"one\n")])
        assert "" == tail.add([gzip.compress(b"one\n")])
        assert "two\n" == tail.add([gzip.compress(b"one\ntwo\n")])

    def test_a_file_that_is_cut_off_gives_what_it_has_and_the_rest_later(self):
        text = "".join(f"line {n}\n" for n in range(5_000))
        whole = gzip.compress(text.encode())
        tail = Tail()
        first = tail.add([whole[: len(whole) // 2]])
        assert first
        assert not tail.whole
        assert text == first + tail.add([whole])
        assert tail.whole

    def test_a_letter_cut_in_two_is_not_broken(self):
        tail = Tail()
        assert "na" == tail.add(["naïve".encode()[:3]])
        assert "ïve" == tail.add(["naïve".encode()])

    def test_several_members_are_one_file(self):
        assert (b"ab", True) == unpacked(gzip.compress(b"a") + gzip.compress(b"b"))

    def test_damaged_bytes_give_what_came_before_them(self):
        whole = gzip.compress(b"x" * 100_000)
        text, complete = unpacked(gzip.compress(b"fine") + whole[:20] + b"\xff" * 40)
        assert text.startswith(b"fine")
        assert not complete

    def test_chunks_of_any_size_give_the_same(self):
        text = "".join(f"line {n} ï\n" for n in range(5_000))
        whole = gzip.compress(text.encode())
        for size in (1, 7, 1_000):
            tail = Tail()
            assert text == tail.add(whole[at : at + size] for at in range(0, len(whole), size))
            assert tail.whole

    def test_of_a_giant_only_the_end_is_kept_and_never_all_of_it_in_memory(self):
        packer = zlib.compressobj(6, wbits=31)
        lines = (b"x" * 99 + b"\n") * 100_000
        body = b"".join(packer.compress(lines) for _ in range(20)) + packer.compress(b"last\n")
        body += packer.flush()
        tail = Tail()
        tracemalloc.start()
        try:
            text = tail.add([body])
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        note, _, rest = text.partition("\n")
        assert re.fullmatch(r"\[[\d,]{11} bytes before this are left out\]", note)
        assert set(rest.splitlines()) == {"x" * 99, "last"}
        assert LONGEST >= len(rest) > LONGEST - 100
        assert most < 8 * LONGEST, "200 MB were never unpacked at once"
        assert "" == tail.add([body]), "what was left out is not told later"

    def test_an_upload_whose_reading_fails_is_read_again_whole(self):
        tail = Tail()

        def broken():
            yield b"one\nna\xc3"
            raise OSError("cut off")

        with pytest.raises(OSError, match="cut off"):
            tail.add(broken())
        assert "one\nnaïve" == tail.add(["one\nnaïve".encode()])


def unpacked(body):
    """What a gzip file holds, and whether it is all there."""
    file = Unpacked([body])
    return b"".join(file), file.whole
