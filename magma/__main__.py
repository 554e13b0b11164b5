"""`python -m magma` is `magma`."""

from .cli import main

if __name__ == "__main__":
    main()
