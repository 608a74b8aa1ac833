"""Types and values that nobody thought of cross unchanged too."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.echoes import Run, call, echo_text, load
from engine.test_hostcalls import Echo
from wsgi_wasm.engine.hostcalls import wit

NAMES = tuple(f"n{i}" for i in range(6))
INTEGERS = [wit.U8, wit.U16, wit.U32, wit.U64, wit.S8, wit.S16, wit.S32, wit.S64]

OTHERS = [wit.BOOL, wit.CHAR, wit.STRING, wit.F64, wit.BYTES, wit.EnumOf(NAMES), wit.FlagsOf(NAMES)]


def named(kinds: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(kinds, min_size=1, max_size=4).map(lambda items: tuple(zip(NAMES, items, strict=False)))


def larger(kinds: st.SearchStrategy[wit.Type]) -> st.SearchStrategy[wit.Type]:
    maybe = st.none() | kinds
    return st.one_of(
        kinds.map(wit.ListType),
        kinds.filter(lambda kind: not isinstance(kind, wit.OptionOf)).map(wit.OptionOf),
        st.builds(wit.ResultOf, maybe, maybe),
        st.lists(kinds, min_size=1, max_size=4).map(lambda items: wit.TupleOf(tuple(items))),
        named(kinds).map(wit.RecordOf),
        st.lists(maybe, min_size=1, max_size=4).map(
            lambda kinds: wit.VariantOf(tuple(zip(NAMES, kinds, strict=False)))
        ),
    )


TYPES: st.SearchStrategy[wit.Type] = st.recursive(
    st.sampled_from(
        [*INTEGERS, wit.BOOL, wit.CHAR, wit.STRING, wit.F64, wit.BYTES, wit.EnumOf(NAMES), wit.FlagsOf(NAMES)]
    ),
    larger,
    max_leaves=8,
)


def values(kind: wit.Type | None) -> st.SearchStrategy[Any]:
    """Values of a type, in Python's form."""
    match kind:
        case None:
            return st.none()
        case wit.Primitive("bool"):
            return st.booleans()
        case wit.Primitive("f64"):
            return st.floats(allow_nan=False)
        case wit.Primitive("char"):
            return st.characters(exclude_categories=["Cs"])
        case wit.Primitive("string"):
            return st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
        case wit.Primitive(name):
            bits = int(name[1:])
            return (
                st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)
                if name[0] == "s"
                else st.integers(0, (1 << bits) - 1)
            )
        case wit.ListType(element):
            return st.binary(max_size=5000) if element == wit.U8 else st.lists(values(element), max_size=5)
        case wit.OptionOf(some):
            return st.none() | values(some)
        case wit.ResultOf(ok, err):
            return st.tuples(st.just("ok"), values(ok)) | st.tuples(st.just("err"), values(err))
        case wit.TupleOf(items):
            return st.tuples(*map(values, items))
        case wit.RecordOf(fields):
            return st.tuples(*(values(one) for _, one in fields))
        case wit.VariantOf(cases):
            return st.one_of(*(st.tuples(st.just(name), values(one)) for name, one in cases))
        case wit.EnumOf(names):
            return st.sampled_from(names)
        case wit.FlagsOf(names):
            return st.frozensets(st.sampled_from(names))
    raise TypeError(kind)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_value_of_any_type(data: st.DataObject) -> None:
    kind = data.draw(TYPES)
    loaded = load(echo_text(kind))
    for value in data.draw(st.lists(values(kind), min_size=1, max_size=3)):
        echo = Echo(value)
        call(loaded, "run", [echo.api(kind)], Run())
        assert echo.taken == [value]
