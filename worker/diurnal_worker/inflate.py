"""Gzip, decompressed within a limit: a few kilobytes can hold gigabytes of zeros.

Pure; called by the dataset parser for whatever begins with gzip's magic bytes, wherever it came from.
"""

import zlib

GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = zlib.MAX_WBITS | 16


class InflateError(ValueError):
    """The bytes are no whole gzip file, or hold more than the limit."""


def is_gzip(data: bytes) -> bool:
    """Tell whether the data begins as a gzip file (RFC 1952, section 2.3.1)."""
    return data.startswith(GZIP_MAGIC)


def inflate(data: bytes, limit: int) -> bytes:
    """Return the content of a gzip file of one or more members, of `limit` bytes at most.

    Never holds more than `limit` + 1 bytes of content. Raises InflateError.
    """
    content = bytearray()
    while data:
        data = _member(data, content, limit)
    return bytes(content)


def _member(data: bytes, content: bytearray, limit: int) -> bytes:
    """Append one member's content; return what follows it."""
    stream = zlib.decompressobj(_GZIP_WINDOW)
    try:
        content += stream.decompress(data, limit + 1 - len(content))
    except zlib.error as error:
        raise InflateError(f"the gzip data is damaged ({error}); compress or fetch the file again") from None
    if len(content) > limit:
        raise InflateError(f"it holds more than {limit:,} bytes once decompressed, which is the limit")
    if not stream.eof:
        raise InflateError("the gzip data ends early, as after a broken download; fetch the file again")
    return stream.unused_data
