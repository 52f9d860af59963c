"""Reads what the gateway sent with the official SDK's own types.

Standard input: a JSON object a line, {"from": where it was sent, "kind": a key of KINDS, "json": the
text as it was sent}. Standard output: one JSON object,

    {"parsed": 12,
     "problems": ["where: what"],
     "seen": {"ThreadCreatedEvent": 3},
     "unseen": ["EndOfTurnItem"]}

A text is right when the SDK parses it strictly and, asked to send what it has parsed, sends the same
members with the same values in the same order. `unseen` names members of the SDK's unions of which
there was none. The exit status is 1 when there are problems.
"""

import json
import sys
import typing
import warnings
from collections import Counter
from datetime import datetime

from chatkit import types, widgets
from pydantic import BaseModel, TypeAdapter, ValidationError

KINDS = {
    "event": types.ThreadStreamEvent,
    "thread": types.Thread,
    "item": types.ThreadItem,
    "page_of_threads": types.Page[types.Thread],
    "page_of_items": types.Page[types.ThreadItem],
    "attachment": types.Attachment,
    "sync_action": types.SyncCustomActionResponse,
    "transcription": types.TranscriptionResult,
}
ADAPTERS = {kind: TypeAdapter(of) for kind, of in KINDS.items()}

# Whose members a long conversation should have shown.
UNIONS = [
    types.ThreadStreamEvent,
    types.ThreadItemUpdate,
    types.ThreadItem,
    types.ThreadStatus,
    types.UserMessageContent,
    types.Attachment,
    types.StructuredInput,
    types.WorkflowSummary,
    types.Task,
    types.Source,
]

# Where a widget or a part of one stands. The gateway sends these as they were given; the SDK adds
# defaults, leaves out nulls and has an order of its own.
WIDGETS = {"widget", "component"}

# ThreadItem.created_at and the like: the gateway's have a zone.
TIMES = {"created_at"}


def members(union) -> list[str]:
    """The names of a union's classes."""
    if typing.get_origin(union) is typing.Annotated:
        union = typing.get_args(union)[0]
    return [of.__name__ for of in typing.get_args(union)]


def classes_in(value):
    """The names of all classes of the SDK in what was parsed; widgets are only counted as such."""
    if isinstance(value, (widgets.WidgetComponentBase, widgets.DynamicWidgetComponent)):
        yield "(widgets)"
    elif isinstance(value, BaseModel):
        yield type(value).__name__.split("[")[0]
        for _, inner in value:
            yield from classes_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from classes_in(inner)


def same_time(sent, kept) -> bool:
    return sent == kept or datetime.fromisoformat(sent) == datetime.fromisoformat(kept)


def differences(sent, kept, path="", lenient=False):
    """What became of the sent members, one sentence for each that is not as it was."""
    if isinstance(sent, dict) and isinstance(kept, dict):
        for name in sent:
            where, in_widget = f"{path}.{name}", lenient or name in WIDGETS
            if name not in kept:
                if not (in_widget and sent[name] is None):
                    yield f"{where} is lost"
            elif not (name in TIMES and same_time(sent[name], kept[name])):
                yield from differences(sent[name], kept[name], where, in_widget)
        if not lenient:
            for name in kept:
                if name not in sent:
                    yield f"{path}.{name} is missing: the SDK sends {json.dumps(kept[name])}"
            if sent.keys() == kept.keys() and list(sent) != list(kept):
                yield f"{path or '.'} has another order: {list(sent)}, not {list(kept)}"
    elif isinstance(sent, list) and isinstance(kept, list):
        if lenient:
            sent = [value for value in sent if value is not None]
        if len(sent) != len(kept):
            yield f"{path} has {len(kept)} members, not {len(sent)}"
        for at, (one, other) in enumerate(zip(sent, kept)):
            yield from differences(one, other, f"{path}[{at}]", lenient)
    elif lenient and is_number(sent) and is_number(kept):
        # A whole number may come back with a fraction.
        if sent != kept:
            yield f"{path} is {kept}, not {sent}"
    elif type(sent) is not type(kept) or sent != kept:
        yield f"{path} is {json.dumps(kept)}, not {json.dumps(sent)}"


def is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def problems(kind: str, text: str, seen: Counter):
    """What is wrong with a text."""
    try:
        parsed = ADAPTERS[kind].validate_json(text, strict=True)
    except ValidationError as error:
        for one in error.errors():
            place = ".".join(str(part) for part in one["loc"])
            yield f"{place}: {one['msg']}"
        return
    seen.update(classes_in(parsed))
    # As ChatKitServer does when it sends.
    kept = ADAPTERS[kind].dump_json(
        parsed, by_alias=True, exclude_none=True, context={"exclude_metadata": True}
    )
    yield from differences(json.loads(text), json.loads(kept))


def main() -> int:
    # Of a member that is sent to old clients all the same.
    warnings.simplefilter("ignore", DeprecationWarning)
    parsed, found, seen = 0, [], Counter()
    for line in sys.stdin:
        given = json.loads(line)
        parsed += 1
        for problem in problems(given["kind"], given["json"], seen):
            found.append(f"{given['from']}: {problem}\n  in {given['json']}")
    unseen = [name for union in UNIONS for name in members(union) if name not in seen]
    report = {"parsed": parsed, "problems": found, "seen": dict(sorted(seen.items())), "unseen": unseen}
    json.dump(report, sys.stdout)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
