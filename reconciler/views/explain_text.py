"""The pages of `explain`: the meaning of a field, a reason or a word, and the topics to suggest for a misspelt one.

The meaning of each reason is documented in `model.reason`. This module adds what the user should do about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from reconciler.model.kind import KINDS
from reconciler.model.reason import Reason
from reconciler.views.explain_words import WORDS
from reconciler.views.json_schema import ALL_KINDS, FieldNote
from reconciler.views.layout import Canvas, listing, section, styled

NOTHING_TO_DO = "Nothing."
SET_ANOTHER_STATE = "Set `desiredState` to `cancelled` or `observed`, or `spec.jobId` to the id of a new job."
END_SHADOW = (
    "Nothing. To have the change requested, run without `--shadow`, and without `shadow` in the operator's file."
)
OPTIONS = "Provider.spec.options"

ADVICE: Mapping[str, Mapping[Reason, str]] = MappingProxyType(
    {
        "Ready": {
            Reason.AS_DESIRED: NOTHING_TO_DO,
            Reason.LIMIT_NEAR: (
                "To keep the job, raise the limit in its spec, or suspend the job. Otherwise, no action is needed."
            ),
            Reason.SUCCEEDED: NOTHING_TO_DO,
            Reason.CANCELLED: NOTHING_TO_DO,
            Reason.LIMIT_REACHED: "Nothing. To allow later jobs more time, set a higher limit in their specs.",
            Reason.FINISHED_BEFORE_CANCEL: NOTHING_TO_DO,
            Reason.FINISHED_DESPITE_CANCEL: "Nothing. The provider may charge for the whole run.",
            Reason.JOB_GONE: "Remove the spec when you no longer need its record.",
        },
        "Reconciling": {
            Reason.CANCEL_PENDING: "Wait. A later pass confirms the change, or reports why it cannot.",
            Reason.PAUSE_PENDING: (
                "Wait. If the job becomes Stalled with this reason, check the provider's dashboard."
            ),
            Reason.RESUME_PENDING: "Wait. If the job becomes Stalled with this reason, check the provider's dashboard.",
            Reason.CANCELLING_ELSEWHERE: (
                "Find out who cancels the job, or set `desiredState` to `cancelled`. After two hours, the job becomes "
                "Stalled."
            ),
            Reason.PHASE_NOT_UNDERSTOOD: (
                "Update `reconcile`. To cancel the job now, use the provider's dashboard. "
                "After a day, the job becomes Stalled."
            ),
            Reason.SPEC_DELETED: (
                "Nothing. The status is removed once its requests are closed and no longer count for the guard."
            ),
        },
        "Stalled": {
            Reason.JOB_NOT_FOUND: "Correct `spec.jobId`, or the account: its key, project or address.",
            Reason.JOB_VANISHED: (
                "Check the provider's dashboard. Then remove the spec, or set `desiredState` to `observed`."
            ),
            Reason.JOB_FAILED: (
                "Read `status.job.error`. Once you have dealt with the failure, set `desiredState` to `observed`."
            ),
            Reason.CANCELLED_ELSEWHERE: SET_ANOTHER_STATE,
            Reason.PAUSED_ELSEWHERE: (
                "Check the provider's dashboard. To resume the job, which may lift a spending limit, run `reconcile "
                "retry NAME`. To keep it paused, set `desiredState` to `paused`."
            ),
            Reason.CANCELLED_BY_US: SET_ANOTHER_STATE,
            Reason.INVALID_SPEC: "Run `reconcile validate`, and correct what it names.",
            Reason.INVALID_PROVIDER: "Run `reconcile validate`, and correct the document, or its name in the spec.",
            Reason.DUPLICATE_JOB: "Remove all but one of these specs.",
            Reason.NOT_SUPPORTED: (
                "Choose another `desiredState`. `reconcile providers` shows what each provider type can do."
            ),
            Reason.HOST_NOT_TRUSTED: "If the host is correct, ask the operator to allow it. The message shows how.",
            Reason.REFUSED_BY_GUARD: (
                "Read the plan. If every change is intended, run `reconcile --once --allow-cancels N`."
            ),
            Reason.ACTION_FORBIDDEN: "Check that the credential is valid and may change jobs, or use one that may.",
            Reason.CANCEL_NOT_HONOURED: (
                "Cancel the job in the provider's dashboard, or contact the provider's support."
            ),
            Reason.CANCEL_STUCK: (
                "Contact the provider's support. If `reconcile` requested the cancel, its receipt is in the status."
            ),
            Reason.CONTESTED: "Find out who undoes the change. Then correct the spec, or ask them to stop.",
            Reason.REVISION_NOT_TRUSTED: (
                "Do what the message says: for example, finish the merge, check out a branch, use `--accept-revision`, "
                "or correct the Settings."
            ),
        },
        "Neither": {
            Reason.SUSPENDED: "When the suspension is no longer needed, remove `suspend` where it is set.",
            Reason.OUTSIDE_WINDOW: (
                "Wait until the time in the message. To have the change requested sooner, ask the operator to change "
                "`changeWindows`."
            ),
            Reason.WOULD_CANCEL: END_SHADOW,
            Reason.WOULD_PAUSE: END_SHADOW,
            Reason.WOULD_RESUME: END_SHADOW,
        },
        "Unknown": {
            Reason.OUT_OF_DATE: "Run `reconcile --once`.",
            Reason.STATUS_UNKNOWN: (
                "Make the file that the error names readable: check its owner, its mode and its disk."
            ),
        },
        "Provider": {
            Reason.CANNOT_OBSERVE_PROVIDER: "Read the message, which names the cause. During an outage, wait.",
            Reason.OBSERVATION_INCOMPLETE: "Wait for the next pass. If it persists, contact the provider's support.",
            Reason.OBSERVATION_SUSPECT: "Check the account's key, project and address.",
            Reason.RATE_LIMITED: (
                "Wait: the request rate adapts by itself. If other clients share the key, set `spec.rateLimit` in the "
                "Provider document."
            ),
            Reason.AUTHENTICATION_FAILED: (
                "Provide a valid credential that may read the jobs, or correct what the message names."
            ),
        },
        "History": {
            Reason.JOB_CHANGED: NOTHING_TO_DO,
            Reason.STATUS_DISCARDED: "Do not edit status files. The next pass rewrites this one.",
            Reason.PHASE_WENT_BACK: "Nothing. The job is managed again.",
        },
    }
)
"""What to do about each reason, by the place where it appears: in a condition, for a provider, or in a history."""

PLACE_TITLES = MappingProxyType(
    {
        "Ready": "Ready is True",
        "Reconciling": "Ready is False and Reconciling is True: a change is in progress",
        "Stalled": "Ready is False and Stalled is True: manual action is needed",
        "Neither": "Ready is False, and neither Reconciling nor Stalled",
        "Unknown": "Ready is Unknown: the job has not been observed for this spec",
        "Provider": "reported for a provider that cannot be observed",
        "History": "an entry in the history of a status",
    }
)
"""The description of each place in `ADVICE`, for the page of a reason."""


def overview_text(notes: Sequence[FieldNote], canvas: Canvas) -> str:
    """Return the list of topics: kinds, provider types and reasons."""
    kinds = [note for note in notes if note.path in ALL_KINDS]
    reasons = [(styled(place, "bold"), styled(" ".join(advice))) for place, advice in ADVICE.items()]
    words = [(styled(what, "bold"), styled(" ".join(meanings))) for what, meanings in WORDS.items()]
    how = "reconcile explain FineTuningJob.spec.limits, or spec.limits, or maxAge, or CancelNotHonoured"
    return canvas.render(
        [
            section("Documents", _described(kinds)),
            section(f"Options of a provider type ({OPTIONS})", _described(_types(notes))),
            section("Reasons", listing(reasons)),
            section("Words", listing(words)),
            section("Statuses", listing([(styled(", ".join(f"{kind}.status" for kind in KINDS)),)])),
            Text.assemble(("More: ", "bold"), how),
        ]
    )


def explain_text(topic: str, notes: Sequence[FieldNote], canvas: Canvas, *, is_recursive: bool = False) -> str | None:
    """Return the pages of the reason, the words and the fields that the topic names, or None if it names none.

    A field is named by its path. If no path is equal to the topic, it is named by the end of its path. Case is ignored.
    With `is_recursive`, the page of a field shows all fields below it instead of the next level.
    """
    wanted = topic.lower()
    words = ((what, word) for what, meanings in WORDS.items() for word in meanings)
    pages = [
        *(_reason_page(each) for each in Reason if each.lower() == wanted),
        *(_word_page(what, word) for what, word in words if word.lower() == wanted),
        *(_field_page(note, notes, is_recursive=is_recursive) for note in _fields_called(wanted, notes)),
    ]
    if not pages:
        return None
    return canvas.render([part for page in pages for part in (*page, Text())][:-1])


def _fields_called(wanted: str, notes: Sequence[FieldNote]) -> list[FieldNote]:
    """Return the fields whose path, or else its end, is this text in lower case."""
    found = [note for note in notes if note.path.lower() == wanted]
    return found or [note for note in notes if note.path.lower().endswith(f".{wanted}")]


def topics(notes: Sequence[FieldNote], length: int = 1) -> set[str]:
    """Return the topics with this number of words between dots: ends of paths of fields, reasons and other words."""
    paths = (note.path.split(".") for note in notes)
    ends = {".".join(path[-length:]) for path in paths if len(path) >= length}
    words = {str(word) for meanings in WORDS.values() for word in meanings}
    return ends | words | {str(each) for each in Reason} if length == 1 else ends


def advice_of(reason: str) -> str:
    """Return what to do about a reason, which must be a value of `Reason`."""
    return next(advice[each] for advice in ADVICE.values() for each in advice if each == reason)


def _reason_page(reason: Reason) -> list[RenderableType]:
    place = next(place for place, advice in ADVICE.items() if reason in advice)
    return [
        Text.assemble((reason.value, "bold"), f": {PLACE_TITLES[place]}"),
        Text(),
        _indented(reason.paragraph),
        Text(),
        Text("What to do", "bold"),
        _indented(ADVICE[place][reason]),
    ]


def _word_page(what: str, word: str) -> list[RenderableType]:
    return [Text.assemble((word, "bold"), f": a {what}"), _indented(WORDS[what][word])]


def _field_page(note: FieldNote, notes: Sequence[FieldNote], *, is_recursive: bool) -> list[RenderableType]:
    parts: list[RenderableType] = [Text.assemble((note.path, "bold"), f": {note.type}; {note.need}")]
    if note.description:
        parts.append(_indented(note.description))
    if note.path == OPTIONS:
        types = ", ".join(each.path for each in _types(notes))
        parts.append(_indented(f"The options depend on spec.type. Run reconcile explain TYPE, with one of {types}."))
    below = [each for each in notes if each.path.startswith(f"{note.path}.")]
    shown = below if is_recursive else [each for each in below if each.path.rpartition(".")[0] == note.path]
    return [*parts, *([Text(), _lines(shown, note.path.count(".") + 1)] if shown else [])]


def _types(notes: Sequence[FieldNote]) -> list[FieldNote]:
    """Return the notes of the provider types."""
    return [note for note in notes if "." not in note.path and note.path not in ALL_KINDS]


def _described(notes: Sequence[FieldNote]) -> RenderableType:
    return listing([(styled(note.path, "bold"), styled(note.description)) for note in notes])


def _lines(notes: Sequence[FieldNote], depth: int) -> RenderableType:
    """Return one line for each field. A field is indented by how far it is below `depth`."""
    return listing(
        [
            (
                styled("  " * (note.path.count(".") - depth) + note.path.rpartition(".")[2], "bold"),
                styled(note.type),
                styled(" ".join(filter(None, [_need(note), note.description]))),
            )
            for note in notes
        ]
    )


def _need(note: FieldNote) -> str:
    default = note.need.partition("; ")[2]
    return "Required." if note.is_required else f"{default.capitalize()}." if default else ""


def _indented(text: str) -> RenderableType:
    return Padding(styled(text), (0, 0, 0, 2), expand=False)
