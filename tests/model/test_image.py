"""What is special to `ImageGenerator` and `ImageEditor`: URLs, base64, several images, and uploads on the wire."""

import base64

import pytest

import magma
from magma import errors
from magma.testing import Reply

pytestmark = pytest.mark.usefixtures("silent", "short_waits")
PARSE, SERVER = errors.ParseError, errors.ServerError
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
JPEG = b"\xff\xd8\xff\xe0" + bytes(20)
AS_BASE64 = base64.b64encode(PNG).decode()
URL = "https://127.0.0.1/a.png?sig=1"
ID = "openai/gpt-image-1"


def body(*items, **more):
    return {"created": 1, "data": list(items), **more}


@pytest.fixture(params=[magma.ImageGenerator, magma.ImageEditor])
def draw(request, make):
    """Calls a generator, or an editor with some image."""

    def drawn(*args, prompt="A cat", id=ID, **arguments):
        given = {} if request.param is magma.ImageGenerator else {"image": PNG}
        return make(request.param, id, **arguments)(prompt, **given)

    return drawn


def test_an_image_may_be_a_url(draw, server):
    server.default = Reply.json(body({"url": URL, "revised_prompt": "A grey cat"}))
    image = draw().content
    assert (image, image.media_type, image.revised_prompt) == (URL, None, "A grey cat")
    assert "sig" not in repr(image)
    assert len(server.requests) == 1


@pytest.mark.parametrize("data", [PNG, JPEG])
def test_an_image_may_be_base64(data, draw, server, tmp_path):
    server.default = Reply.json(body({"b64_json": base64.b64encode(data).decode(), "url": None}))
    response = draw()
    assert response.content.bytes() == data
    assert response.content.save(tmp_path / "a.png").read_bytes() == data
    assert response.content.media_type == ("image/png" if data is PNG else "image/jpeg")
    assert response.content.revised_prompt is None


def test_a_url_is_downloaded_when_it_is_saved(draw, server, tmp_path):
    server.on("/made.png", Reply.text(PNG, content_type="image/png"))
    server.default = Reply.json(body({"url": f"{server.url}/made.png"}))
    image = draw().content
    assert len(server.requests) == 1
    assert image.save(tmp_path / "a.png").read_bytes() == PNG


@pytest.mark.parametrize("n", [None, 1])
def test_one_image_is_no_list(n, draw, server):
    server.default = Reply.json(body({"url": URL}))
    assert draw(n=n).content == URL


def test_several_images_are_a_list_in_order(draw, server):
    server.default = Reply.json(body({"url": URL}, {"b64_json": AS_BASE64}))
    made = draw(n=2).content
    assert (made[0], made[1].bytes()) == (URL, PNG)


def test_fewer_images_than_wanted_are_what_came_with_a_warning(draw, server):
    """One of two pictures has been paid for: it is given, in a list, and the response says that one is missing."""
    server.default = Reply.json(body({"url": URL}))
    response = draw(n=2)
    assert response.content == [URL]
    assert any("1 image came, not 2" in one for one in response.warnings)


def test_more_images_than_wanted_are_told_of(draw, server):
    server.default = Reply.json(body({"url": URL}, {"url": URL}))
    response = draw()
    assert response.content == URL
    assert any("2 images came, not 1" in one for one in response.warnings)


@pytest.mark.parametrize(
    ("reply", "kind", "says"),
    [
        (body(), PARSE, "no image"),
        ({**body(), "data": None}, None, "no"),
        ({"created": 1}, None, "no"),
        ({}, None, "no"),
        ([], None, ""),
        (None, None, ""),
        ({**body(), "data": "x"}, None, ""),
        ({**body(), "data": {"url": URL}}, None, ""),
        (body(None), None, ""),
        (body(1), None, ""),
        (body({}), PARSE, "neither url nor b64_json"),
        (body({"url": None, "b64_json": None}), PARSE, "neither url nor b64_json"),
        (body({"url": ""}), PARSE, "neither url nor b64_json"),
        (body({"url": 7}), None, "url"),
        (body({"b64_json": "?!"}), PARSE, "base64"),
        (body({"b64_json": AS_BASE64[:-3]}), PARSE, "base64"),
        ({"error": {"message": "Your prompt was blocked", "code": "content_policy_violation"}}, None, "blocked"),
        ({"error": {"message": "No GPU left"}}, SERVER, "No GPU left"),
        (Reply.text("<html>Bad</html>", content_type="text/html"), SERVER, "<html>"),
        (Reply.text("", content_type="application/json"), SERVER, ""),
    ],
    ids=lambda one: str(one)[:50] if isinstance(one, (dict, list)) else "",
)
def test_what_is_no_image_is_an_error_that_says_what_came(reply, kind, says, draw, server, fails):
    server.default = reply if isinstance(reply, Reply) else Reply.json(reply)
    if kind is None:
        with pytest.raises(errors.ModelError) as caught:
            draw()
        kind = type(caught.value)
        assert kind in (PARSE, SERVER, errors.ContentFilterError)
        server.reset()
    error = fails(kind, draw, requests=1, says=says)
    assert AS_BASE64[:20] not in str(error)


def test_a_refusal_is_typed(draw, server, fails):
    server.default = Reply.error(400, "Your request was rejected by the safety system", code="content_policy_violation")
    fails(errors.ContentFilterError, draw, requests=1, says="safety system")


@pytest.mark.parametrize("wrong", ["", " ", None, b"A cat", ["A cat"], 7], ids=repr)
def test_what_is_no_prompt_is_refused_before_anything_is_sent(wrong, draw, fails):
    fails(errors.ConfigError, draw, prompt=wrong, says="prompt")


@pytest.mark.parametrize("wrong", [{"n": 0}, {"n": 11}, {"n": "2"}, {"n": True}, {"response_format": "png"}], ids=repr)
def test_wrong_parameters_are_refused_before_anything_is_sent(wrong, draw, fails):
    fails(errors.ConfigError, draw, says=next(iter(wrong)), **wrong)


def test_what_is_wanted_is_sent(make, server):
    server.default = Reply.json(body({"url": URL}))
    wanted = {
        "n": 1,
        "size": "1024x1792",
        "quality": "hd",
        "style": "vivid",
        "response_format": "b64_json",
        "user": "u",
    }
    make(magma.ImageGenerator, "openai/dall-e-3", **wanted)("A cat")
    assert server.requests[0].path == "/v1/images/generations"
    assert server.requests[0].json() == {"model": "dall-e-3", "prompt": "A cat", **wanted}


@pytest.mark.parametrize("details", [{"text_tokens": 10, "image_tokens": 0}, None, {"text_tokens": 10}])
def test_what_it_cost_is_told(details, make, server):
    usage = {"input_tokens": 10, "output_tokens": 100, "total_tokens": 110}
    usage |= {"input_tokens_details": details} if details else {}
    server.default = Reply.json(body({"b64_json": AS_BASE64}, usage=usage))
    response = make(magma.ImageGenerator, ID)("A cat")
    assert (response.usage.input_tokens, response.usage.output_tokens) == (10, 100)
    assert response.cost == pytest.approx(10 * 5e-6 + 100 * 40e-6)


@pytest.mark.parametrize(("id", "path"), [("azure/mine", "/openai/deployments/mine/images/generations")])
def test_azure_is_asked_at_its_deployment(id, path, make, server):
    server.default = Reply.json(body({"url": URL}))
    assert make(magma.ImageGenerator, id, "", api_version="2024-10-21")("A cat").content == URL
    assert (server.requests[0].path, server.requests[0].json()["prompt"]) == (path, "A cat")


def test_gemini_is_asked_and_read_in_its_own_shape(make, server):
    server.default = Reply.json({"predictions": [{"bytesBase64Encoded": AS_BASE64, "mimeType": "image/png"}]})
    assert make(magma.ImageGenerator, "gemini/imagen-4.0-generate-001", "")("A cat").content.bytes() == PNG
    assert server.requests[0].json()["instances"] == [{"prompt": "A cat"}]


# --- editing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["path", "text", "bytes", "file", "data-url", "url"])
def test_an_image_to_edit_may_be_anything_that_names_one(kind, make, server, tmp_path, parts_of):
    server.on("/a.jpg", Reply.text(PNG, content_type="image/png"))
    server.default = Reply.json(body({"url": URL}))
    path = tmp_path / "my cat.jpg"
    path.write_bytes(PNG)  # the first bytes tell the type, not the name
    with path.open("rb") as opened:
        image = {
            "path": path,
            "text": str(path),
            "bytes": PNG,
            "file": opened,
            "data-url": f"data:;base64,{AS_BASE64}",
            "url": f"{server.url}/a.jpg",
        }[kind]
        assert make(magma.ImageEditor, ID)("Make it night", image).content == URL
    (sent,) = [one for one in server.requests if one.method == "POST"]
    assert sent.path == "/v1/images/edits"
    assert [part for part in parts_of(sent) if part[1]] == [("image[]", "image.png", "image/png", PNG)]


def test_several_images_and_a_mask_are_parts_of_the_body(make, server, parts_of):
    server.default = Reply.json(body({"url": URL}))
    editor = make(magma.ImageEditor, ID, size="1024x1024", n=1, quality="high", input_fidelity="high")
    editor("Put the cat there", [PNG, JPEG], mask=PNG + b"mask")
    parts = parts_of(server.requests[0])
    assert [(name, kind, data) for name, file, kind, data in parts if file] == [
        ("image[]", "image/png", PNG),
        ("image[]", "image/jpeg", JPEG),
        ("mask", "image/png", PNG + b"mask"),
    ]
    fields = {name: data.decode() for name, file, _, data in parts if not file}
    assert fields == {
        "model": "gpt-image-1",
        "prompt": "Put the cat there",
        "size": "1024x1024",
        "n": "1",
        "quality": "high",
        "input_fidelity": "high",
    }


@pytest.mark.parametrize(
    "wrong", [None, [], [None], 7, b"", "missing.png", "s3://b/a.png", [PNG, b"%PDF-1.7"]], ids=repr
)
def test_what_is_no_image_to_edit_is_refused_before_anything_is_sent(wrong, make, fails):
    fails(errors.ConfigError, make(magma.ImageEditor, ID), "Make it night", wrong, says="image")


@pytest.mark.parametrize("wrong", ["", b"", 7, [PNG], b"%PDF-1.7"], ids=repr)
def test_a_mask_is_an_image_too(wrong, make, fails):
    fails(errors.ConfigError, make(magma.ImageEditor, ID), "Make it night", PNG, mask=wrong, says="image")


@pytest.mark.parametrize("status", [307, 404])
def test_an_image_that_cannot_be_fetched_is_not_sent(status, make, server):
    server.on("/a.png", Reply.redirect("http://127.0.0.1:9/") if status == 307 else Reply.error(404))
    server.default = Reply.json(body({"url": URL}))
    with pytest.raises(errors.ConnectionError if status == 307 else errors.NotFoundError) as caught:
        make(magma.ImageEditor, ID)("Make it night", f"{server.url}/a.png?sig=secret")
    assert "secret" not in str(caught.value)
    assert [one.method for one in server.requests] == ["GET"]


def test_an_upload_is_whole_when_it_is_sent_again(make, server, parts_of):
    server.enqueue(Reply.error(503), Reply.json(body({"url": URL})))
    assert make(magma.ImageEditor, ID, max_retries=1)("Make it night", PNG).content == URL
    assert [[part[3] for part in parts_of(one) if part[1]] for one in server.requests] == [[PNG], [PNG]]
