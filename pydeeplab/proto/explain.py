"""Why protobuf refuses a prototxt, in a user's words: what was expected, what was found, what to write."""

from __future__ import annotations

import difflib
import re

from google.protobuf import text_format

from pydeeplab.errors import PrototxtError, did_you_mean
from pydeeplab.proto import caffe_pb2
from pydeeplab.proto.dialects import V1_TYPES, fork_of_field
from pydeeplab.proto.positions import SourceText

__all__ = ["explained"]

_NO_FIELD = re.compile(r'Message type "caffe\.(?P<message>[\w.]+)" has no field named "(?P<field>[^"]+)"')
_TWICE = re.compile(r'Message type "caffe\.(?P<message>[\w.]+)" should not have multiple "(?P<field>[^"]+)" fields')
_NO_VALUE = re.compile(r'Enum type "caffe\.(?P<enum>[\w.]+)" has no value (?:named|with number) (?P<value>\S+?)\.?$')
_NO_STRING = re.compile(r"Expected string but found: (?P<value>.+)$")
_NO_NUMBER = re.compile(r"Couldn't parse (?P<kind>integer|float): (?P<value>.*)$")
_RANGE = re.compile(r"Value out of range: (?P<value>.*)$")
_QUOTE = re.compile(r"String missing ending quote: (?P<value>.*)$")
_EXPECTED = re.compile(r'Expected "(?P<mark>[^"]+)"')
_STRAY = re.compile(r"Expected identifier or number, got (?P<token>.*?)\.$")

_TOKEN = re.compile(r"""[A-Za-z_][\w+-]*|[\d.+-][\w.+-]*|"[^"\n]*"?|'[^'\n]*'?|.""")

_BLOCK_NAMES = {
    **{
        f.message_type.name: f"{f.name} {{ }}"
        for f in reversed(caffe_pb2.LayerParameter.DESCRIPTOR.fields)
        if f.message_type
    },
    "NetStateRule": "include { } or exclude { }",
    "FillerParameter": "a filler",
    "BlobShape": "shape { }",
    "NetParameter": "a net",
    "SolverParameter": "a solver",
    "LayerParameter": "layer { }",
    "V1LayerParameter": "layers { } (the old format)",
    "V0LayerParameter": "layer { } of Caffe's first format",
}
_SAME_AS = {"padding": "pad", "kernel": "kernel_size", "dilation_rate": "dilation", "rate": "dilation"}


def explained(source: SourceText, error: text_format.ParseError) -> PrototxtError:
    """The error to raise for one of protobuf's: its place in the original text, what is wrong, what to write."""
    message = str(error)
    line, column = error.GetLine(), error.GetColumn()
    if line is None or column is None:
        return PrototxtError(f"{source.filename}: {message}")
    message = re.sub(r"^\d+:\d+ : ", "", message)
    offset = min(source.offset(line, column), len(source.text))
    return PrototxtError(f"{source.place(offset)}: {_explain(source, message, offset)}")


def _explain(source: SourceText, message: str, offset: int) -> str:
    if found := _NO_FIELD.search(message):
        return _unknown_field(source, found["message"], found["field"], offset)
    if found := _TWICE.search(message):
        block = _block(found["message"])
        return f"'{found['field']}' is given twice in one {block}, and may be given once. Remove one of the two."
    if found := _NO_VALUE.search(message):
        return _unknown_value(found["enum"], found["value"])
    if found := _NO_STRING.search(message):
        return _not_a_string(source, found["value"].strip("'\""), offset)
    if found := _NO_NUMBER.search(message):
        kind = "a whole number" if found["kind"] == "integer" else "a number"
        return f"expected {kind}, found {found['value']}."
    if found := _RANGE.search(message):
        return f"{found['value']} is out of range: counts and sizes may not be negative, and must fit into 32 bits."
    if found := _QUOTE.search(message):
        return f"a string without its closing quote: {found['value'][1:-1]}"
    if found := _EXPECTED.search(message):
        return _expected(source, found["mark"], offset)
    if found := _STRAY.search(message):
        return _stray(found["token"])
    return re.sub(r"^'.*?': ", "", message, flags=re.DOTALL)


def _block(message: str) -> str:
    return _BLOCK_NAMES.get(message, message)


def _unknown_field(source: SourceText, message: str, name: str, offset: int) -> str:
    fields = getattr(caffe_pb2, message.split(".")[0]).DESCRIPTOR.fields_by_name
    start = f"{_block(message)} has no field '{name}'."
    if name in ("layer", "layers"):
        opened = source.open_at(offset)
        line = f" The block '{opened[-1].name}' opened in line {source.line_at(opened[-1].start)}" if opened else ""
        return f"{start}{line} is probably not closed: a '}}' is missing before this place."
    if fork := fork_of_field(name):
        return f"{start} It is a field of {fork}'s Caffe; pydeeplab has no such thing. Remove it if you can do without."
    if name in _SAME_AS and _SAME_AS[name] in fields:
        return f"{start} Did you mean '{_SAME_AS[name]}'?"
    return start + (_homes(message, name) or did_you_mean(name, fields))


def _homes(message: str, name: str) -> str:
    """Where a field of this name lives instead: in a block of this message, in the other format, in a solver."""
    if message == "LayerParameter" and name in caffe_pb2.V1LayerParameter.DESCRIPTOR.fields_by_name:
        spec = (
            " Write param { lr_mult: 1 decay_mult: 1 } once for each blob."
            if name in ("blobs_lr", "weight_decay")
            else ""
        )
        return f" It belongs to the old format, layers {{ }}.{spec}"
    if message == "SolverParameter" and name in caffe_pb2.NetParameter.DESCRIPTOR.fields_by_name:
        return " A net has: is this a net's prototxt?"
    if message == "NetParameter" and name in caffe_pb2.SolverParameter.DESCRIPTOR.fields_by_name:
        return " A solver has: is this a solver's prototxt?"
    if message in ("V1LayerParameter", "NetParameter") and name in caffe_pb2.LayerParameter.DESCRIPTOR.fields_by_name:
        return " It belongs into layer { }."
    fields = getattr(caffe_pb2, message.split(".")[0]).DESCRIPTOR.fields
    homes = [f.name for f in fields if f.message_type is not None and name in f.message_type.fields_by_name]
    homes = [home for home in homes if home not in ("layer", "layers")]
    if not homes:
        return ""
    return f" It belongs into {' or '.join(f'{home} {{ }}' for home in homes)}."


def _unknown_value(enum: str, value: str) -> str:
    message, _, name = enum.rpartition(".")
    if name == "LayerType":
        return _unknown_v1_type(value)
    known = getattr(getattr(caffe_pb2, message), name).keys() if message else getattr(caffe_pb2, name).keys()
    bare = value.strip("\"'")
    if bare != value and bare in known:
        return f"{value} is written without quotes here: {bare}."
    return f"{value} is no {name}; there are {', '.join(known)}.{did_you_mean(bare.upper(), known)}"


def _unknown_v1_type(value: str) -> str:
    bare = value.strip("\"'")
    back = {new: old for old, new in V1_TYPES.items() if new}
    word = back.get(bare) or (bare if bare in V1_TYPES else "")
    if bare != value or word:
        near = word or next(iter(difflib.get_close_matches(bare, back, n=1)), "")
        near = back.get(near, near)
        advice = f" Did you mean {near}?" if near else ""
        return (
            f"in layers {{ }} (the old format) a type is a bare word such as CONVOLUTION, not {value}; "
            f"strings are the types of layer {{ }}.{advice}"
        )
    return f"{value} is no layer type of the old format.{did_you_mean(value.upper(), V1_TYPES)}"


def _not_a_string(source: SourceText, value: str, offset: int) -> str:
    opened = source.open_at(offset)
    if opened and opened[-1].name == "layer" and value in V1_TYPES and value:
        right = f'type: "{V1_TYPES[value]}"'
        return f"the type of layer {{ }} is a string: write {right}; {value} belongs to the old layers {{ }}."
    return f'expected a string in quotes, found {value}: write "{value}".'


def _expected(source: SourceText, mark: str, offset: int) -> str:
    if mark in "}>":
        opened = source.open_at(len(source.text))
        where = (
            f"block '{opened[-1].name}' opened in line {source.line_at(opened[-1].start)}" if opened else "last block"
        )
        return f"the file ends too early: the {where} is not closed; a '{mark}' is missing."
    token = _TOKEN.match(source.text, offset)
    found = token[0] if token else "the end of the file"
    if mark == ":" and found in ("{", "<"):
        return "this field takes a value after a ':', not a block in braces."
    if mark == "{":
        return f"this field is a block: expected '{{', found {found}."
    if mark == "true":
        return f"expected true or false, found {found}."
    return f"expected '{mark}', found {found}."


def _stray(token: str) -> str:
    if token in ("}", ">"):
        return f"this '{token}' closes nothing: one too many, or its opening brace is missing."
    if token == "$":
        return "a stray '$': placeholders are written ${NAME}."
    return f"expected the name of a field, found {token}." if token else "the file ends too early."
