"""The planning schemas, and the names of the room."""

import json

import pytest

import magma.generation
import magma.parsers
from magma.parsers import schema_of
from magma.parsers.plan import Action, Argument, ChainOfThoughts, Path, ReAct, SelfConsistency, Step

CASES = [
    (
        magma.generation.plan.ChainOfThoughts,
        {"steps": [{"explanation": "8x = -30", "output": "x = -3.75"}], "final_answer": "-3.75"},
        ChainOfThoughts(steps=[Step(explanation="8x = -30", output="x = -3.75")], final_answer="-3.75"),
    ),
    (
        magma.generation.plan.ReAct,
        {
            "thought": "look it up",
            "actions": [{"name": "search", "arguments": [{"name": "query", "value": "Paris"}]}],
            "final_answer": None,
        },
        ReAct(thought="look it up", actions=[Action(name="search", arguments=[Argument(name="query", value="Paris")])]),
    ),
    (
        magma.generation.plan.SelfConsistency,
        {"paths": [{"reasoning": "2+2", "answer": "4"}], "final_answer": "4"},
        SelfConsistency(paths=[Path(reasoning="2+2", answer="4")], final_answer="4"),
    ),
]


@pytest.mark.parametrize(("kind", "plain", "typed"), CASES)
def test_a_plan_is_a_strict_schema_whose_fields_are_described(kind, plain, typed):
    schema = schema_of(kind)
    assert schema.strict
    assert schema.description == kind.__doc__
    assert all(node.get("description") for node in schema.json_schema["properties"].values())
    assert schema.decode(json.dumps(plain)) == (typed, plain)


def test_the_names_of_the_room():
    assert sorted(magma.parsers.__all__) == magma.parsers.__all__
    assert all(getattr(magma.parsers, name) is not None for name in magma.parsers.__all__)
    assert set(magma.parsers.__all__) <= set(dir(magma.parsers))
    with pytest.raises(AttributeError, match="schema_off"):
        _ = magma.parsers.schema_off
