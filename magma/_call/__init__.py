"""The line that every request walks; private. `flow.py` is the line itself, the rest are its stations."""
