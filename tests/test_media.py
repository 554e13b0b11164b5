"""What a caller may name as a file, and what is refused before anything is read or sent."""

import base64
import io
import os
import pathlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magma import ConfigError, ModelError, errors, media, media_types
from magma.testing.server import Close, Hang, Ping, Reply, Server

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
MP3 = b"ID3\x04" + bytes(20)
WAV = b"RIFF\x24\x00\x00\x00WAVEfmt "
MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(12)
DATA = "data:image/png;base64," + base64.b64encode(PNG).decode()


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"BM\x00\x01\x00\x00\x00\x00\x00\x00\x36", "image/bmp"),
        (b"II*\x00", "image/tiff"),
        (b"MM\x00*", "image/tiff"),
        (b"\x00\x00\x00\x18ftypheic", "image/heic"),
        (b"\x00\x00\x00\x18ftypavif", "image/avif"),
        (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avif", "image/avif"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x">', "image/svg+xml"),
        (b"\xef\xbb\xbf<svg>", "image/svg+xml"),
        (MP3, "audio/mpeg"),
        (b"\xff\xfb\x90\x64", "audio/mpeg"),
        (b"\xff\xf3\x84\x64", "audio/mpeg"),
        (b"\xff\xf1\x50\x80", "audio/aac"),
        (WAV, "audio/wav"),
        (b"fLaC", "audio/flac"),
        (b"OggS" + bytes(24) + b"OpusHead", "audio/ogg"),
        (b"OggS" + bytes(24) + b"\x80theora", "video/ogg"),
        (b"\x00\x00\x00\x18ftypM4A ", "audio/mp4"),
        (MP4, "video/mp4"),
        (b"\x00\x00\x00\x14ftypqt  ", "video/quicktime"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm", "video/webm"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x88matroska", "video/x-matroska"),
        (b"%PDF-1.7", "application/pdf"),
        (b"\n%PDF-1.7", "application/pdf"),
        (b"", None),
        (b"Hello", None),
        (b"BMW is a car maker", None),
        ("UTF-16".encode("utf-16"), None),
        (b"\xff\xff\xff\xff", None),
        (b"RIFF", None),
    ],
)
def test_the_first_bytes_tell_the_type(data, media_type):
    assert media_types.sniff(data) == media_type


@given(st.binary(max_size=80))
def test_any_bytes_are_sniffed(data):
    told = media_types.sniff(data)
    assert told is None or "/" in told


# --- sources


def test_a_path_as_text_or_object(tmp_path):
    path = tmp_path / "a.mp3"
    path.write_bytes(MP3)
    for source in (str(path), path):
        file = media.load(source)
        assert (file.name, file.media_type, file.data, file.url) == ("a.mp3", "audio/mpeg", MP3, None)
    assert repr(file) == "<File 'a.mp3' audio/mpeg 24 B>"


def test_the_bytes_win_over_the_extension(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(MP3)
    assert media.load(path).media_type == "audio/mpeg"
    assert media.load(path).extension == "mp3"


def test_the_extension_tells_where_the_bytes_do_not(tmp_path):
    path = tmp_path / "notes.md"
    path.write_bytes(b"# Hi")
    assert media.load(path, what="file").media_type == "text/markdown"
    path = path.rename(tmp_path / "notes.unheardof")
    assert media.load(path, what="file").media_type == "application/octet-stream"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_of_any_kind(kind):
    file = media.load(kind(PNG), what="image")
    assert (file.name, file.data) == ("image.png", PNG)
    assert type(file.data) is bytes


def test_an_open_file_is_read_from_its_position_and_stays_open(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"head" + MP3)
    with path.open("rb") as open_file:
        open_file.seek(4)
        assert media.load(open_file).data == MP3
        assert not open_file.closed
    assert media.load(io.BytesIO(MP3)).name == "audio.mp3"


class Trickling(io.RawIOBase):
    """Gives a byte at a time, as sockets may."""

    def __init__(self, data):
        self.data = list(data)

    def read(self, size=-1):
        return bytes([self.data.pop(0)]) if self.data else b""


def test_short_reads_are_no_end():
    assert media.load(Trickling(MP3)).data == MP3


def test_no_more_than_the_bound_is_read_of_an_open_file():
    class Endless:
        taken = 0

        def read(self, size):
            self.taken += size
            return bytes(size)

    source = Endless()
    with pytest.raises(ConfigError, match="larger than 1 kB"):
        media.load(source, most=1000)
    assert source.taken <= 1001


def test_data_urls():
    file = media.load(DATA, what="image")
    assert (file.data, file.media_type, file.name) == (PNG, "image/png", "image.png")
    assert file.data_url() == DATA
    assert media.load("data:text/plain,a%20b", what="file").data == b"a b"
    assert (
        media.load("DATA:image/jpeg;base64," + base64.b64encode(PNG).decode(), what="image").media_type == "image/png"
    )
    assert (
        media.load("data:image/png;base64," + base64.b64encode(PNG).decode().replace("+", "%2B"), what="image").data
        == PNG
    )


@pytest.mark.parametrize(
    ("url", "name", "media_type"),
    [
        ("https://example.com/a/b.png?sig=1", "b.png", "image/png"),
        ("HTTPS://example.com/b.JPG", "b.JPG", "image/jpeg"),
        ("http://[::1]:8000/", "image", "application/octet-stream"),
        ("gs://bucket/a.webp", "a.webp", "image/webp"),
    ],
)
def test_a_url_is_kept(url, name, media_type):
    file = media.load(url, what="image")
    assert (file.url, file.data, file.name, file.media_type) == (url, None, name, media_type)
    assert file.data_url() == url
    with pytest.raises(ConfigError, match="download"):
        file.base64()


def test_a_file_is_a_file():
    file = media.load(PNG, what="image")
    assert media.load(file, what="image") == file
    assert pickle.loads(pickle.dumps(file)) == file
    assert hash(file) == hash(media.load(PNG, what="image"))
    with pytest.raises(ConfigError, match="image/png, not audio"):
        media.load(file, what="audio")


# --- refusals


@pytest.mark.parametrize("source", [None, 3, "", "  ", 1.5, object(), [], {}, True])
def test_what_is_no_source(source):
    with pytest.raises(ConfigError, match="path, bytes, an open"):
        media.load(source)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("file:///etc/passwd", "scheme"),
        ("ftp://example.com/a", "scheme"),
        ("javascript:alert(1)", "scheme"),
        ("https://me:hunter2@example.com/a", "password"),
        ("https:///a", "host"),
        ("https://example.com/a b", "blank"),
        ("https://example.com/a\nb", "blank"),
        ("https://[::1/a", "cannot be read"),
        ("https://example.com:99999/a", "cannot be read"),
        ("data:image/png", "comma"),
        ("data:image/png;base64,@@@", "base64"),
        ("data:image/png;base64,ä", "base64"),
        ("data:image/png;base64,iVBORw0", "base64"),
        ("data:image/png;base64,", "empty"),
    ],
)
def test_urls_that_cannot_work(url, told):
    with pytest.raises(ConfigError, match=told) as caught:
        media.load(url, what="image")
    assert "hunter2" not in str(caught.value)


def test_paths_that_cannot_work(tmp_path):
    for source, told in (
        (tmp_path / "none.mp3", "does not exist"),
        (tmp_path, "directory"),
        ("a\0b", "cannot be read"),
        ("a" * 5000, "cannot be read"),
        ("\ud800", "cannot be read|exist"),
    ):
        with pytest.raises(ConfigError, match=told) as caught:
            media.load(source)
        assert len(str(caught.value)) < 400
        assert "\n" not in str(caught.value)


def test_an_empty_file(tmp_path):
    (tmp_path / "a.mp3").touch()
    for source in (tmp_path / "a.mp3", b"", io.BytesIO()):
        with pytest.raises(ConfigError, match="empty"):
            media.load(source)


def test_a_file_larger_than_the_bound_is_not_read(tmp_path):
    path = tmp_path / "a.mp3"
    with path.open("wb") as file:
        file.truncate(media.LIMITS["audio"] + 1)  # sparse
    with pytest.raises(ConfigError, match=r"a.mp3' is larger than 25 MB"):
        media.load(path)
    for source in (MP3, memoryview(MP3), io.BytesIO(MP3), "data:audio/mpeg;base64," + "A" * 400):
        with pytest.raises(ConfigError, match="larger than 10 B"):
            media.load(source, most=10)
    assert media.load(MP3, most=len(MP3)).data == MP3


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_pipes_and_devices_do_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for source in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(ConfigError, match="regular file"):
            media.load(source)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path):
    path = tmp_path / "a.mp3"
    path.write_bytes(MP3)
    path.chmod(0)
    with pytest.raises(ConfigError, match="permissions"):
        media.load(path)


def test_open_files_that_cannot_be_read(tmp_path):
    class Upload:
        async def read(self, size=-1):
            return MP3

    closed = io.BytesIO(MP3)
    closed.close()
    path = tmp_path / "a"
    path.write_bytes(b"x")
    with path.open("wb") as write_only:
        for source, told in (
            (io.StringIO("x"), "'rb'"),
            (closed, "cannot be read"),
            (write_only, "cannot be read"),
            (Upload(), "coroutine"),
        ):
            with pytest.raises(ConfigError, match=told):
                media.load(source)


@pytest.mark.parametrize(
    ("data", "what", "fits"),
    [
        (MP3, "image", False),
        (PNG, "audio", False),
        (PNG, "video", False),
        (MP3, "video", False),
        (MP4, "audio", True),
        (MP4, "video", True),
        (PNG, "file", True),
        (b"who knows", "image", True),
    ],
)
def test_the_kind_must_fit_where_it_is_known(data, what, fits):
    if fits:
        assert media.load(data, what=what).data == data
    else:
        with pytest.raises(ConfigError, match=f"not {what}"):
            media.load(data, what=what)


def test_a_name_that_is_no_utf8_still_goes_into_json(tmp_path):
    try:
        path = pathlib.Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff.mp3"))
        path.write_bytes(MP3)
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    media.load(path).name.encode()


# --- downloads


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("MAGMA_ALLOW_REQUESTS", "1")
    with Server() as running:
        yield running


def fetch_error(url, kind=ModelError, **options):
    with pytest.raises(kind) as caught:
        media.fetch(url, **options)
    assert "secret" not in str(caught.value)
    return caught.value


def test_a_download(server):
    server.default = Reply.text("\x00abc", content_type="image/png")
    assert media.fetch(server.url + "/x?sig=secret") == b"\x00abc"
    assert [(got.method, got.path, got.query) for got in server.requests] == [("GET", "/x", "sig=secret")]


def test_a_redirect_is_named_and_not_followed(server):
    server.default = Reply.redirect(server.url + "/elsewhere?sig=secret")
    error = fetch_error(server.url + "/x", errors.ConnectionError)
    assert "/elsewhere" in str(error)
    assert not error.retryable
    assert len(server.requests) == 1


@pytest.mark.parametrize("step", [Hang(), Ping(b"x", 0.02)])
def test_a_download_has_a_deadline(server, step):
    server.default = Reply(body=(b"some", step), framing="chunked")
    assert "timeout=" in str(fetch_error(server.url, errors.TimeoutError, timeout=0.2))


def test_a_download_that_breaks_off(server):
    server.default = Reply.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome", Close())
    fetch_error(server.url, errors.ConnectionError)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.AuthenticationError),
        (403, errors.PermissionDeniedError),
        (404, errors.NotFoundError),
        (410, errors.BadRequestError),
        (429, errors.RateLimitError),
        (500, errors.ServerError),
        (504, errors.TimeoutError),
    ],
)
def test_http_errors(server, status, kind):
    server.default = Reply.error(status)
    error = fetch_error(server.url + "/x?sig=secret", kind)
    assert error.status_code == status


def test_a_download_is_bounded(server):
    server.default = Reply.json({"a": "x" * 5000})
    with pytest.raises(ConfigError, match="larger than 100 B"):
        media.fetch(server.url, most=100)


def test_no_connection():
    with Server() as gone:
        url = gone.url
    assert "cannot be fetched" in str(fetch_error(url + "/x?sig=secret", errors.ConnectionError))


@pytest.mark.parametrize("url", ["ftp://a/b", "gs://a/b", "x", "", "https://u:secret@h/", "https://", "https://h:x/"])
def test_what_is_not_fetched(url):
    fetch_error(url, ConfigError)


def test_no_requests_means_no_downloads(monkeypatch):
    monkeypatch.setenv("MAGMA_ALLOW_REQUESTS", "0")
    assert "MAGMA_ALLOW_REQUESTS" in str(fetch_error("https://example.com/a?sig=secret", ConfigError))
