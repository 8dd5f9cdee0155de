"""The command `retest`: finds the subcommand, imports only what it needs, and turns errors into one line and a code.

Exit codes: 0 ok; 1 found problems; 2 usage or input error; 3 could not look; 70 a defect of retest.
"""

import importlib
import json
import os
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS = {
    "run": ("agent.cli.run:run", "The main job: import, ground, search, weigh, experiment, decide, write a report."),
    "import": ("agent.cli.documents:import_", "Parse an inquiry document and show what was understood."),
    "ground": ("agent.cli.documents:ground", "Check that cited ids are real, and are the papers they are said to be."),
    "search": ("agent.cli.find:search", "Search papers in arXiv, the mirror and the starter library."),
    "mirror": ("agent.cli.find:mirror", "Fill and inspect the local mirror of arXiv metadata."),
    "list": ("agent.cli.held:list_", "List the claims that are held, with their verdicts."),
    "show": ("agent.cli.held:show", "Show one claim: verdicts, evidence, experiments, dates."),
    "report": ("agent.cli.held:report", "Write a report from what is held; nothing is searched or judged."),
    "refresh": ("agent.cli.refresh:refresh", "One nightly pass: what is new, what it changes, and a digest of it."),
    "service": ("agent.cli.service:service", "Refresh every night by a schedule, shared by several processes."),
    "due": ("agent.cli.refresh:due", "List the claims that the next refresh will go over, and why."),
    "care": ("agent.cli.refresh:care", "Pin, pause or force a claim."),
    "claims": ("agent.cli.claims:claims", "Add a claim that no document has."),
    "ask": ("agent.cli.chat:ask", "Answer a question about what is held, with citations."),
    "chat": ("agent.cli.chat:chat", "The same as a conversation, which can also re-test and experiment."),
    "judge": ("agent.cli.judge:judge", "Weigh what the local judge is unsure of, and refit it."),
    "bench": ("agent.cli.weigh:bench", "Predict stances and verdicts of labelled claims; print metrics."),
    "lab": ("agent.cli.lab:lab", "Protocols, runs and the lab worker."),
    "serve": ("agent.cli.serve:serve", "Serve the web page and the JSON API."),
    "mcp": ("agent.cli.mcp:mcp", "Serve what is held to a model's client (Model Context Protocol)."),
    "backup": ("agent.cli.backup:backup", "Write everything that is held to one file."),
    "restore": ("agent.cli.backup:restore", "Fill an empty database from a backup."),
    "completion": ("agent.cli.completion:completion", "Let bash, zsh or fish complete commands and claim ids."),
    "doctor": ("agent.cli.doctor:doctor", "Check what is installed, reachable and configured."),
}
"""Command to where it lives and its line in `--help`. Kept here so that `--help` imports no command."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the commands in the order of the work, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        found: click.Command = getattr(importlib.import_module(module), name)
        return found

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Complete a command's name from `COMMANDS`, or an option."""
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name, help=line) for name, (_, line) in COMMANDS.items() if name.startswith(incomplete)]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command list from `COMMANDS`."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    del param
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"retest {version('retest')}")
        ctx.exit()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--debug", is_flag=True, help="Show tracebacks and debug logs on stderr.")
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
@click.pass_context
def retest(ctx: click.Context, debug: bool) -> None:
    """Does a published claim about training language models still hold?

    retest holds dated claims, looks for newer and contradicting work on arXiv, re-runs what can be re-run as small
    experiments, and keeps every quote, measurement and verdict with its date.
    """
    ctx.obj = {"debug": debug}


def exit_code(exc: BaseException) -> int:
    """Give the exit code that an error stands for."""
    from agent.errors import Final, LabRefused, Retryable
    from claims.errors import CouldNotLook, InputError, NotHeld, RetestError, StoreError

    if isinstance(exc, (InputError, NotHeld)) or (isinstance(exc, LabRefused) and exc.is_of_the_input):
        return 2
    if isinstance(exc, (CouldNotLook, Retryable, Final, StoreError)):
        return 3
    return 2 if isinstance(exc, RetestError) else 70


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    args = sys.argv[1:] if args is None else args
    debug, as_json = "--debug" in args, "--json" in args
    os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
    try:
        code = retest.main(args, prog_name="retest", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as exc:
        sys.exit(exc.exit_code)
    except click.Abort:
        _say("stopped by you; what was finished is kept, and the same command goes on from there", as_json, "Stopped")
        sys.exit(130)
    except KeyboardInterrupt:
        _say("stopped by you; what was finished is kept, and the same command goes on from there", as_json, "Stopped")
        os._exit(130)  # worker threads may be waiting for the lab; their threads are checkpointed
    except click.ClickException as exc:
        _say(exc.format_message(), as_json, "UsageError")
        if isinstance(exc, click.UsageError) and exc.ctx is not None and not as_json:
            click.echo(f"Try `{exc.ctx.command_path} --help`.", err=True)
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as exc:
        if debug:
            raise
        code = exit_code(exc)
        said = str(exc) if code != 70 else f"a defect of retest ({type(exc).__name__}: {exc}); --debug shows where"
        _say(" ".join(said.split()), as_json, type(exc).__name__)
        sys.exit(code)


def _say(message: str, as_json: bool, kind: str) -> None:
    if as_json:
        click.echo(json.dumps({"error": {"kind": kind, "message": message}}))
    click.echo(f"retest: {message}", err=True)
