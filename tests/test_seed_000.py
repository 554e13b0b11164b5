"""The examples of seed 000 (models of every type), run against the scripted server; only the import lines differ."""

import asyncio
import json

import pytest

import magma
from magma.testing import Reply, Server
from magma.testing.others import SOUND, pixel

GEMINI = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Gemini says hi."}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 3, "totalTokenCount": 4},
    "modelVersion": "gemini-2.0-flash-exp",
}


@pytest.fixture(autouse=True)
def server(monkeypatch, tmp_path):
    """A server in the place of OpenAI, Anthropic and Google, and an empty working directory."""
    with Server() as server:
        for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"):
            monkeypatch.setenv(name, f"test-{name.lower()}")
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("ANTHROPIC_API_BASE", server.url)
        monkeypatch.setenv("GEMINI_API_BASE", server.url)
        monkeypatch.chdir(tmp_path)
        yield server


def test_overview():
    import magma as mf

    # OpenAI
    model = mf.Model.chat_completion("openai/gpt-4o", temperature=0.7)
    assert (model.provider, model.temperature) == ("openai", 0.7)

    # Google
    model = mf.Model.chat_completion("google/gemini-2.0-flash-exp", temperature=0.7)
    assert model.provider == "gemini"

    # Anthropic
    model = mf.Model.chat_completion("anthropic/claude-3-5-sonnet-20241022", temperature=0.7)
    assert repr(model) == "Model('anthropic/claude-3-5-sonnet-20241022', temperature=0.7)"


def test_basic_usage(server, capsys):
    server.enqueue(Reply.chat("Hello! How can I help you today?"))
    import magma as mf

    # Set API key
    mf.set_envs(OPENAI_API_KEY="sk-...")

    # Create model
    model = mf.Model.chat_completion("openai/gpt-4o")

    # Use model (see chat_completion.md for details)
    response = model(messages=[{"role": "user", "content": "Hello!"}])
    print(response.consume())  # "Hello! How can I help you today?"

    assert capsys.readouterr().out == "Hello! How can I help you today?\n"
    assert server.requests[0].headers["authorization"] == "Bearer sk-..."


def test_available_model_types():
    import magma as mf

    # Get all supported model types
    types = mf.Model.model_types()
    assert types == [
        "chat_completion",
        "text_embedder",
        "text_to_image",
        "image_text_to_image",
        "text_to_speech",
        "speech_to_text",
        "moderation",
        "text_classifier",
        "image_classifier",
        "image_embedder",
        "text_reranker",
    ]


@pytest.mark.parametrize("name", magma.Model.model_types())
def test_factory_methods(name):
    handle = getattr(magma.Model, name)("cohere/any" if name == "text_reranker" else "openai/any")
    assert handle.model_type == name


def test_available_providers():
    import magma as mf

    # Get all providers by model type
    providers = mf.Model.providers()

    assert list(providers) == mf.Model.model_types()
    assert providers["chat_completion"][:5] == ["openai", "google", "anthropic", "groq", "together"]
    assert {"openai", "google", "jinaai"} <= set(providers["text_embedder"])
    assert providers["text_to_image"][0] == "openai"  # LiteLLM has no images of replicate


@pytest.mark.parametrize(
    "provider",
    "openai google anthropic groq together replicate ollama cerebras sambanova openrouter imagerouter vllm".split(),
)
def test_supported_providers(provider):
    make = magma.Model.text_to_image if provider == "imagerouter" else magma.Model.chat_completion
    assert make(f"{provider}/any").get_model_info() == {"model_id": "any", "provider": provider}
    assert magma.Model.text_embedder("jinaai/any").provider == "jina_ai"


def test_chat_completion(server, capsys):
    server.enqueue(Reply.chat("The capital of France is Paris."))
    import magma as mf

    # Create model
    model = mf.Model.chat_completion("openai/gpt-4o", temperature=0.7, max_tokens=1000)

    # Single completion
    response = model(
        messages=[
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": "What is the capital of France?"},
        ]
    )

    print(response.consume())  # "The capital of France is Paris."

    assert capsys.readouterr().out == "The capital of France is Paris.\n"
    sent = server.requests[0].json()
    assert (sent["temperature"], sent["max_tokens"]) == (0.7, 1000)
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]


def test_text_embeddings():
    import magma as mf

    # Create embedder
    embedder = mf.Model.text_embedder("openai/text-embedding-3-small")

    # Generate embedding
    response = embedder("Hello, world!")

    embedding = response.consume()
    assert len(embedding) == 1536
    assert len(embedding[:5]) == 5
    assert all(isinstance(value, float) for value in embedding[:5])


def test_speech_to_text(tmp_path, capsys):
    (tmp_path / "path/to").mkdir(parents=True)
    (tmp_path / "path/to/audio.mp3").write_bytes(SOUND)
    import magma as mf

    # Create transcription model
    model = mf.Model.speech_to_text("openai/whisper-1")

    # Transcribe audio file
    response = model("path/to/audio.mp3")

    transcription = response.consume()
    print(transcription)  # "Hello, this is a test."

    assert capsys.readouterr().out == "Hello, this is a test.\n"


def test_text_to_image(server):
    import magma as mf

    # Create image generation model
    model = mf.Model.text_to_image("openai/dall-e-3")

    # Generate image
    response = model(prompt="A cat wearing a space suit", size="1024x1024", quality="standard")

    image_url = response.consume()
    assert image_url.startswith("https://")
    sent = server.requests[0].json()
    assert sent["prompt"] == "A cat wearing a space suit"
    assert (sent["size"], sent["quality"]) == ("1024x1024", "standard")


def test_getting_model_metadata(capsys):
    import magma as mf

    model = mf.Model.chat_completion("openai/gpt-4o")

    # Get model type
    print(model.model_type)  # "chat_completion"

    # Get instance type information
    print(model.instance_type())
    # {'model_type': 'chat_completion'}

    # Get model info
    print(model.get_model_info())
    # {'model_id': 'gpt-4o', 'provider': 'openai'}

    assert capsys.readouterr().out.splitlines() == [
        "chat_completion",
        "{'model_type': 'chat_completion'}",
        "{'model_id': 'gpt-4o', 'provider': 'openai'}",
    ]


def test_serializing_and_deserializing(server):
    import magma as mf

    # Create and configure model
    model = mf.Model.chat_completion("openai/gpt-4o", temperature=0.7, max_tokens=500)

    # Serialize
    state = model.serialize()
    assert state == {
        "msgflux_type": "model",
        "provider": "openai",
        "model_type": "chat_completion",
        "state": {
            "model_id": "gpt-4o",
            "sampling_params": state["state"]["sampling_params"],
            "sampling_run_params": {"temperature": 0.7, "max_tokens": 500},
        },
    }

    # Save to file
    mf.save(state, "model_config.json")

    # Load from file
    state = mf.load("model_config.json")

    # Recreate model
    again = mf.Model.from_serialized(provider=state["provider"], model_type=state["model_type"], state=state["state"])

    # Model is ready to use
    assert again == model
    response = again(messages=[{"role": "user", "content": "Hello"}])
    assert response.consume() == "Hello there!"
    model(messages=[{"role": "user", "content": "Hello"}])
    assert server.requests[0].body == server.requests[1].body


def test_model_response(capsys):
    import magma as mf

    embedder = mf.Model.text_embedder("openai/text-embedding-3-small")
    response = embedder("Hello")

    # Response is ModelResponse
    assert type(response) is mf.Embedding
    assert isinstance(response, mf.Response)

    # Get response type
    print(response.response_type)  # "text_embedding"

    # Consume the response
    result = response.consume()
    print(result)  # [0.123, -0.456, ...]

    first, second = capsys.readouterr().out.splitlines()
    assert first == "text_embedding"
    assert second.startswith(f"[{result[0]}, {result[1]}")


def test_model_stream_response(server, capsys):
    server.enqueue(Reply.stream(["1, ", "2, ", "3, ", "4, ", "5"]))
    import magma as mf

    model = mf.Model.chat_completion("openai/gpt-4o")

    # Stream enabled
    response = model(messages=[{"role": "user", "content": "Count to 5"}], stream=True)

    # Response is ModelStreamResponse
    assert type(response) is mf.Stream

    async def main():
        # Consume stream
        async for chunk in response.consume():
            print(chunk, end="", flush=True)

    asyncio.run(main())
    assert capsys.readouterr().out == "1, 2, 3, 4, 5"


def test_retry_mechanism(server, capsys):
    server.default = Reply.error(500, retry_after=0)
    import magma as mf

    # Model automatically retries on API failures
    model = mf.Model.chat_completion("openai/gpt-4o")

    try:
        model(messages=[{"role": "user", "content": "Hello"}])
    except Exception as e:
        print(f"Failed after retries: {e}")

    assert capsys.readouterr().out.startswith("Failed after retries: ")
    assert len(server.requests) == 3


def test_provider_not_available(capsys):
    import magma as mf

    try:
        # If provider isn't installed
        model = mf.Model.chat_completion("openai/gpt-4o")
    except ImportError as e:
        print(e)

    assert model.provider == "openai"  # every provider is there: LiteLLM brings them
    assert capsys.readouterr().out == ""


def test_invalid_model_path(capsys):
    import magma as mf

    try:
        mf.Model.chat_completion("invalid-provider/model")
    except ValueError as e:
        print(e)
        # "Provider `invalid-provider` not registered for type `chat_completion`"

    assert capsys.readouterr().out == "Provider `invalid-provider` not registered for type `chat_completion`\n"


def test_use_environment_variables_for_api_keys(server):
    import magma as mf

    # Good - Use environment variables
    mf.set_envs(OPENAI_API_KEY="sk-...")
    mf.Model.chat_completion("openai/gpt-4o")("Hi")
    assert server.requests[0].headers["authorization"] == "Bearer sk-..."


def test_or_use_env_file(server, tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    (tmp_path / ".env").write_text("OPENAI_API_KEY=sk-of-the-file\n")
    assert magma.load_env() == ["OPENAI_API_KEY"]
    magma.Model.chat_completion("openai/gpt-4o")("Hi")
    monkeypatch.delenv("OPENAI_API_KEY")
    assert server.requests[0].headers["authorization"] == "Bearer sk-of-the-file"


def test_reuse_model_instances(server, capsys):
    import magma as mf

    queries = ["One?", "Two?"]

    # Good - Create once, use many times
    model = mf.Model.chat_completion("openai/gpt-4o")

    for query in queries:
        response = model(messages=[{"role": "user", "content": query}])
        print(response.consume())

    # Bad - Creating new instance each time (slower)
    for query in queries:
        model = mf.Model.chat_completion("openai/gpt-4o")
        response = model(messages=[{"role": "user", "content": query}])

    assert capsys.readouterr().out == "Hello there!\nHello there!\n"
    assert len(server.requests) == 4


def test_specify_model_parameters(server):
    import magma as mf

    # Good - Explicit parameters
    model = mf.Model.chat_completion("openai/gpt-4o", temperature=0.7, max_tokens=1000, top_p=0.9)
    model("Hi")
    sent = server.requests[0].json()
    assert (sent["temperature"], sent["max_tokens"], sent["top_p"]) == (0.7, 1000, 0.9)

    # Also good - Use defaults when appropriate
    model = mf.Model.chat_completion("openai/gpt-4o")
    model("Hi")
    assert set(server.requests[1].json()) == {"messages", "model", "temperature"}


def test_handle_errors_gracefully(server):
    import magma as mf

    def safe_completion(prompt):
        try:
            model = mf.Model.chat_completion("openai/gpt-4o")
            response = model(messages=[{"role": "user", "content": prompt}])
            return response.consume()
        except ImportError:
            return "Provider not installed"
        except ValueError as e:
            return f"Configuration error: {e}"
        except Exception as e:
            return f"Unexpected error: {e}"

    result = safe_completion("Hello!")
    assert result == "Hello there!"
    assert safe_completion("").startswith("Configuration error: ")
    server.default = Reply.error(400)
    assert safe_completion("Hello!").startswith("Unexpected error: ")


def test_save_configurations():
    import magma as mf

    # Define configurations
    configs = {"creative": {"temperature": 0.9, "max_tokens": 2000}, "precise": {"temperature": 0.3, "max_tokens": 500}}

    # Create and save models
    for name, params in configs.items():
        model = mf.Model.chat_completion("openai/gpt-4o", **params)
        state = model.serialize()
        mf.save(state, f"{name}_model.json")

    # Load later
    state = mf.load("creative_model.json")
    model = mf.Model.from_serialized(**state)
    assert model == mf.Model("openai/gpt-4o", temperature=0.9, max_tokens=2000)
    with open("precise_model.json") as file:
        assert json.load(file)["state"]["sampling_run_params"] == configs["precise"]


def test_multi_provider_fallback(server, capsys):
    server.on("/v1/chat/completions", Reply.error(400, "not today"))
    server.on("/v1/messages", Reply.error(401, anthropic=True))
    server.default = Reply.json(GEMINI)
    import magma as mf

    def get_completion(prompt, providers=None):
        """Try multiple providers in order."""
        if providers is None:
            providers = [
                "openai/gpt-4o",
                "anthropic/claude-3-5-sonnet-20241022",
                "google/gemini-2.0-flash-exp",
            ]

        for provider_path in providers:
            try:
                model = mf.Model.chat_completion(provider_path)
                response = model(messages=[{"role": "user", "content": prompt}])
                return response.consume()
            except Exception as e:
                print(f"Failed with {provider_path}: {e}")
                continue

        raise RuntimeError("All providers failed")

    result = get_completion("What is AI?")
    assert result == "Gemini says hi."
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("Failed with openai/gpt-4o: ")
    assert second.startswith("Failed with anthropic/claude-3-5-sonnet-20241022: ")
    server.default = Reply.error(404)
    with pytest.raises(RuntimeError, match="All providers failed"):
        get_completion("What is AI?")


def test_batch_processing(capsys):
    import magma as mf
    import magma.batch as F

    # Create embedder
    embedder = mf.Model.text_embedder("openai/text-embedding-3-small")

    # Process in parallel
    texts = ["Hello", "World", "AI", "Embedding"]

    results = F.map_gather(embedder, args_list=[(text,) for text in texts])

    # Each result is a ModelResponse
    embeddings = [r.consume() for r in results]
    print(f"Generated {len(embeddings)} embeddings")

    assert capsys.readouterr().out == "Generated 4 embeddings\n"
    assert {len(embedding) for embedding in embeddings} == {1536}


def test_model_comparison(server, capsys):
    server.on("/models/gemini", Reply.json(GEMINI))
    server.on("/v1beta/models/gemini", Reply.json(GEMINI))
    server.on("/v1/messages", Reply.anthropic("Claude says hi."))
    import magma as mf

    def compare_models(prompt, model_paths):
        """Compare responses from different models."""
        results = {}

        for path in model_paths:
            model = mf.Model.chat_completion(path, temperature=0.7)
            response = model(messages=[{"role": "user", "content": prompt}])
            results[path] = response.consume()

        return results

    # Compare
    models = ["openai/gpt-4o", "anthropic/claude-3-5-sonnet-20241022", "google/gemini-2.0-flash-exp"]

    responses = compare_models("Explain quantum computing", models)
    for model, response in responses.items():
        print(f"\n{model}:\n{response}\n")

    assert responses == dict(zip(models, ["Hello there!", "Claude says hi.", "Gemini says hi."], strict=True))
    assert capsys.readouterr().out.startswith("\nopenai/gpt-4o:\nHello there!\n")


def test_the_other_types_answer_too():
    """The seed names them without an example."""
    assert magma.Model.image_text_to_image("openai/gpt-image-1")("Make it night", image=pixel()).consume().bytes()
    assert magma.Model.text_to_speech("openai/tts-1")("Hello").consume().format == "mp3"
    assert magma.Model.moderation("openai/omni-moderation-latest")("Hello").consume().safe
