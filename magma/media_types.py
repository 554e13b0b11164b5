"""Media types: told by a file's first bytes, by its name, and back to an extension."""

from __future__ import annotations

import os

UNKNOWN = "application/octet-stream"
_WORDS = """
image/png png image/jpeg jpg image/gif gif image/webp webp image/bmp bmp image/tiff tiff image/heic heic image/avif avif
image/svg+xml svg audio/mpeg mp3 audio/wav wav audio/flac flac audio/ogg ogg audio/opus opus audio/mp4 m4a audio/aac aac
audio/webm webm audio/pcm pcm video/mp4 mp4 video/quicktime mov video/webm webm video/x-matroska mkv video/mpeg mpeg
video/ogg ogv video/x-msvideo avi video/3gpp 3gp application/pdf pdf text/plain txt text/markdown md
application/octet-stream bin
""".split()
_EXTENSIONS: dict[str, str] = dict(zip(_WORDS[::2], _WORDS[1::2], strict=True))
_TYPES: dict[str, str] = {extension: media_type for media_type, extension in _EXTENSIONS.items()} | {
    "jpeg": "image/jpeg"
}
ALIASES = {
    "audio/mp3": "audio/mpeg",
    "audio/x-wav": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/vnd.wave": "audio/wav",
    "audio/x-flac": "audio/flac",
    "audio/x-m4a": "audio/mp4",
    "audio/m4a": "audio/mp4",
    "image/jpg": "image/jpeg",
}
ALSO_AUDIO = "video/mp4 video/webm video/mpeg video/ogg video/3gpp video/quicktime video/x-matroska".split()


def sniff(data: bytes) -> str | None:
    """The media type that the first bytes tell, else None.

    >>> sniff(b"\\x89PNG\\r\\n\\x1a\\n"), sniff(b"ID3\\x04"), sniff(b"Hello")
    ('image/png', 'audio/mpeg', None)
    """
    for magic, media_type in _MAGIC:
        if data.startswith(magic):
            return media_type
    if data[:4] in (b"RIFF", b"RF64"):
        return {b"WAVE": "audio/wav", b"WEBP": "image/webp", b"AVI ": "video/x-msvideo"}.get(data[8:12])
    if data[4:8] == b"ftyp":
        return _brand(data[8:12], data[8:40])
    if data[:4] == b"OggS":
        return "video/ogg" if b"\x80theora" in data[:64] else "audio/ogg"
    if data[:4] == b"\x1aE\xdf\xa3":  # EBML: Matroska, of which WebM is a part
        return "video/webm" if b"webm" in data[:64] else "video/x-matroska"
    if data[:2] == b"BM" and data[6:10] == bytes(4):
        return "image/bmp"
    if len(data) > 2 and data[0] == 0xFF:
        if data[1] & 0xF6 == 0xF0:  # twelve bits of sync, layer 0
            return "audio/aac"
        if data[1] & 0xE6 == 0xE2 and data[2] >> 4 != 15 and data[2] & 0x0C != 0x0C:  # eleven, layer III, a real rate
            return "audio/mpeg"
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"%PDF-"):
        return "application/pdf"
    return "image/svg+xml" if head.startswith(b"<svg") or (head.startswith(b"<?xml") and b"<svg" in head) else None


_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"\x00\x00\x01\xba", "video/mpeg"),
)


def _brand(major: bytes, brands: bytes) -> str:
    """The type of an ISO base media file by its brands."""
    if major in (b"avif", b"avis") or (major == b"mif1" and b"avif" in brands):
        return "image/avif"
    if major in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"):
        return "image/heic"
    if major[:3] in (b"M4A", b"M4B"):
        return "audio/mp4"
    return "video/quicktime" if major == b"qt  " else "video/3gpp" if major[:2] == b"3g" else "video/mp4"


def guess(name: str) -> str | None:
    """The media type that a file name's or URL's extension tells, else None."""
    extension = os.path.splitext(name)[1][1:].lower()
    if not extension or extension in _TYPES:
        return _TYPES.get(extension)
    import mimetypes

    told = mimetypes.guess_type(f"a.{extension}")[0]
    return ALIASES.get(told, told) if told else None


def extension_of(media_type: str) -> str:
    """The usual extension of a media type, without dot.

    >>> extension_of("audio/mpeg"), extension_of("image/jpeg"), extension_of("x/y")
    ('mp3', 'jpg', 'bin')
    """
    known = _EXTENSIONS.get(ALIASES.get(media_type, media_type))
    if known is None:
        import mimetypes

        known = (mimetypes.guess_extension(media_type) or ".bin")[1:]
    return known
