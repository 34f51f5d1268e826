"""All commands of `gonogo` by noun and verb, and the one place where a command ends: its exit code, its last sentence.

Commands are named as "module:function", so that help costs no import of what only a running command needs (aiohttp, the
servers). A refusal, an absent gateway or a wrong setting ends as a sentence on stderr; Ctrl-C ends quietly.
"""

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Group, UnusedCliTokensError

from services.cli.exits import EXIT_CODES, Exit

Verb = tuple[str, str, str]
"""Name, function, what it does."""

PLAN: tuple[Verb, ...] = (
    ("list", "plan:list_plans", "Lists plans."),
    ("show", "plan:show", "Shows a plan."),
    ("create", "plan:create", "Creates a plan."),
    ("import", "plan:import_plan", "Turns a Markdown checklist into a plan."),
    ("edit", "plan:edit", "Changes sections of a plan."),
    ("apply", "plan_file:apply", "Makes a plan what a file says."),
    ("export", "plan_file:export", "Prints a plan as a file."),
    ("schema", "plan_file:schema", "Prints the JSON Schema of plan files."),
    ("copy", "plan:copy", "Creates a plan with the content of another."),
    ("reorder", "drafting:reorder", "Puts all items of a draft into an order."),
    ("versions", "versions:versions", "Lists who changed what when."),
    ("version", "versions:version", "Prints a plan as it was at a version."),
    ("diff", "versions:diff", "Shows what differs between two versions."),
    ("restore", "versions:restore", "Brings an earlier version back."),
    ("present", "versions:present", "Shows who has a plan open."),
    ("seal", "moves:seal", "Finishes planning and seals what will run."),
    ("conflicts", "calendar:conflicts", "Shows what is in a plan's way."),
    ("rehearse", "foresight:rehearse", "Says how a plan would go, with nothing done."),
    ("submit", "moves:submit", "Asks the approvers."),
    ("review", "approval:review", "Shows what to look at before voting."),
    ("vote", "approval:vote", "Approves or rejects what was sealed."),
    ("withdraw", "approval:withdraw", "Takes your own vote back."),
    ("delegate", "approval:delegate", "Lets another vote in your place."),
    ("end-delegation", "approval:end_delegation", "Takes a delegation back."),
    ("emergency-approve", "approval:emergency_approve", "Approves without the approvers; owes a review."),
    ("emergency-review", "approval:emergency_review", "Reviews an emergency approval."),
    ("start", "moves:start", "Starts a plan."),
    ("start-now", "moves:start_now", "Starts a plan before its time, with a reason."),
    ("reopen", "moves:reopen", "Back to planning."),
    ("cancel", "moves:cancel", "Ends a plan for good."),
    ("progress", "progress:progress", "Shows how far a plan is, and when it may end."),
    ("record", "record:record", "Prints who did what, when."),
    ("watch", "record:watch", "Follows a plan live."),
)
ITEM: tuple[Verb, ...] = (
    ("put", "drafting:put", "Adds or replaces an item of a draft."),
    ("change", "drafting:change", "Changes fields of an item of a draft."),
    ("remove", "drafting:remove", "Takes an item out of a draft."),
    ("move", "drafting:move", "Puts an item of a draft elsewhere."),
    ("complete", "item:complete", "Confirms that a text item is done."),
    ("tick", "item:tick", "Ticks one sub-step."),
    ("execute", "item:execute", "Runs the workflow of an item."),
    ("cancel", "item:cancel", "Cancels the running attempt of an item."),
    ("retry", "item:retry", "Runs a failed item again."),
    ("skip", "item:skip", "Leaves an item out, with a reason."),
    ("waive", "item:waive", "Accepts a failed item as it is, with a reason."),
    ("log", "item:log", "Prints what an item's run has printed."),
)
NOUNS: dict[str, tuple[str, tuple[Verb, ...]]] = {
    "plan": ("Release plans.", PLAN),
    "item": ("The items of a plan.", ITEM),
    "gate": (
        "The gates of a plan, where outside systems are asked.",
        (
            ("show", "gate:show", "Shows what a plan waits for, and what happens then."),
            ("resend", "gate:resend", "Sends the hooks of a gate's round again."),
            ("recheck", "gate:recheck", "Asks the outside system again."),
            ("override", "gate:override", "Goes on without its yes, with a reason."),
        ),
    ),
    "list": (
        "Lists of plans that you saved (plan list --save).",
        (
            ("show", "saved:show", "Shows your saved lists."),
            ("drop", "saved:drop", "Keeps a list no longer."),
        ),
    ),
    "calendar": (
        "What takes place when.",
        (
            ("show", "calendar:show", "Shows plans, freezes and conflicts by time."),
            ("export", "calendar:export", "Writes the calendar as iCalendar."),
        ),
    ),
    "freeze": (
        "Times in which nothing starts.",
        (
            ("put", "freeze:put", "Stores a freeze, once or repeated."),
            ("list", "freeze:list_freezes", "Lists all freezes."),
            ("show", "freeze:show", "Shows a freeze and when it takes place."),
            ("delete", "freeze:delete", "Deletes a freeze."),
            ("override", "freeze:override", "Lets a plan through, with a reason."),
        ),
    ),
    "template": (
        "Templates that plans are made from.",
        (
            ("put", "template:put", "Stores a template."),
            ("list", "template:list_templates", "Lists the templates."),
            ("show", "template:show", "Prints a template."),
            ("delete", "template:delete", "Offers a template no more."),
        ),
    ),
    "workflow": (
        "Workflows that items run.",
        (
            ("put", "workflow:put", "Stores a workflow."),
            ("show", "workflow:show", "Shows a workflow."),
        ),
    ),
    "endpoint": (
        "Where hooks go.",
        (
            ("put", "endpoint:put", "Stores where hooks go."),
            ("list", "endpoint:list_endpoints", "Lists where hooks go."),
            ("show", "endpoint:show", "Shows an endpoint; never its secret."),
            ("rotate", "endpoint:rotate", "Signs with a new secret, for a while with both."),
            ("test", "endpoint:send_test", "Sends a test: a real delivery."),
            ("enable", "endpoint:enable", "Switches an endpoint on."),
            ("disable", "endpoint:disable", "Switches an endpoint off."),
        ),
    ),
    "hooks": (
        "For who receives hooks.",
        (
            ("listen", "hooks.listen:listen", "Receives hooks on this machine."),
            ("replay", "hooks.replay:replay", "Sends recorded hooks again."),
        ),
    ),
    "delivery": (
        "Hooks on their way out.",
        (
            ("list", "delivery:list_deliveries", "Lists hooks and how they got through."),
            ("show", "delivery:show", "Shows a delivery with its attempts."),
            ("resend", "delivery:resend", "Tries deliveries again: one, some, or all since."),
        ),
    ),
    "delegation": (
        "Who votes in whose place, on all plans.",
        (
            ("give", "approval:give", "Lets another vote in your place."),
            ("end", "approval:end", "Takes a delegation back."),
            ("list", "approval:list_delegations", "Lists yours and those to you."),
        ),
    ),
    "letter": (
        "Letters to approvers and owners.",
        (
            ("list", "approval:list_letters", "Lists the letters about a plan."),
            ("resend", "approval:resend_letters", "Tries again those that were given up."),
        ),
    ),
    "log": (
        "The event log that all else is derived from.",
        (("restored", "log:restored", "After a restore from a backup: gives the log a new epoch."),),
    ),
    "user": (
        "People and their tokens.",
        (
            ("put", "user:put", "Stores a user."),
            ("token", "user:token", "Makes a token and prints it once."),
            ("link", "user:link", "Says that identities are one person."),
            ("unlink", "user:unlink", "Says that an identity is a person of its own."),
            ("links", "user:links", "Lists the people with several identities."),
        ),
    ),
}
ALONE: tuple[Verb, ...] = (
    ("inbox", "inbox:inbox", "Lists what waits for you."),
    ("record", "record:installation", "Prints who did what to all that is no plan's."),
    ("me", "user:me", "Shows who the token speaks for."),
    ("version", "about:version", "Prints the version."),
    ("completion", "about:completion", "Prints the completion script for a shell."),
)
SYSTEM: tuple[Verb, ...] = (
    ("up", "up:up", "Starts the whole system here, with its own servers."),
    ("down", "down:down", "Stops a system that runs on a data folder."),
    ("demo", "demo.command:demo", "Takes a real release through a system of its own."),
    ("verify", "verify:verify", "Checks the whole log: no gap, every hash."),
    ("rebuild", "rebuild:rebuild", "Drops and rebuilds what is derived from the log."),
)

_HELP = "Release plans: drafted, sealed, approved, executed and proved, on one append-only log."
_SETTINGS = """
Settings: GONOGO_URL (default http://127.0.0.1:8640), GONOGO_TOKEN or GONOGO_TOKEN_FILE. NO_COLOR turns colours off.
"""


def build() -> App:
    """The application. Cheap: nothing of a command is imported."""
    codes = "\n".join(f"  {int(code):>3}  {meaning}" for code, meaning in EXIT_CODES.items())
    app = App(
        name="gonogo",
        help=_HELP,
        help_epilogue=f"{_SETTINGS.strip()}\n\nExit codes:\n\n{codes}",
        help_format="plaintext",
        version_flags=("--version",),
        version=_version,
        result_action="return_value",
        error_formatter=_usage_line,
    )
    for noun, (help_text, verbs) in NOUNS.items():
        group = App(name=noun, help=help_text, help_format="plaintext", help_epilogue="", version_flags=())
        _add(group, verbs)
        app.command(group)
    _add(app, ALONE)
    _add(app, SYSTEM, Group("The system"))
    return app


def _add(app: App, verbs: Sequence[Verb], group: Group | None = None) -> None:
    for name, function, help_text in verbs:
        app.command(f"services.cli.{function}", name=name, help=help_text, group=group)


def _usage_line(error: CycloptsError) -> str:
    if isinstance(error, UnusedCliTokensError):
        much = ", ".join(repr(token) for token in error.unused_tokens or ())
        return f"gonogo: {much} is more than this command takes. Try --help."
    return f"gonogo: {error} Try --help."


def _version() -> str:
    from services.cli.about import version_text

    return version_text()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    from services.cli.problems import Problem

    app = build()
    try:
        result = app(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
    except Problem as problem:
        return _end(problem.exit_code, problem.lines())
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:  # `gonogo plan list | head`: nobody reads any more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK
    except SystemExit as ended:  # cyclopts has said what is wrong
        return int(ended.code or 0)
    except Exception as error:
        if os.environ.get("GONOGO_LOG_LEVEL") == "debug":
            raise
        told = f"Unexpected: {type(error).__name__}: {error}. Set GONOGO_LOG_LEVEL=debug to see where."
        return _end(Exit.FAULT, [told])
    return int(result or Exit.OK)


def _end(code: int, lines: Sequence[str]) -> int:
    from services.cli.output import problem_lines

    sys.stdout.flush()
    problem_lines(lines)
    return int(code)
