"""A thin alias for the seeds' spelling: `magma.generation.plan` is `magma.parsers.plan`.

>>> from magma.generation import plan
>>> plan.ChainOfThoughts.__name__
'ChainOfThoughts'
"""

from .parsers import plan

__all__ = ["plan"]
