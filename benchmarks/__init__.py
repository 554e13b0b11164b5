"""What magma costs beside naive LiteLLM, and what must never happen: `python -m benchmarks`."""
