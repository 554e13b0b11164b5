"""A thin alias for the seeds' spelling: `magma.dsl.typed_parsers` is `magma.parsers.xml`.

>>> from magma.dsl import typed_parsers
>>> typed_parsers.typed_parser_registry["typed_xml"].decode('<age type="int">7</age>')
{'age': 7}
"""

from .parsers import xml as typed_parsers

__all__ = ["typed_parsers"]
