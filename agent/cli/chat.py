"""`retest ask` and `retest chat`: answers about what is held, each finding with its evidence."""

from typing import TYPE_CHECKING, Any

import click

from agent.cli.output import console, json_option, plain, print_json, set_up_logging
from claims.errors import InputError

if TYPE_CHECKING:
    from agent.chat.reply import Reply, Sentence
    from agent.llm import ChatModel
    from agent.settings import Settings
    from claims.clock import Clock
    from claims.store import Store

NO_MODEL = "no language model is asked: answers are put together from the store (set RETEST_LLM to have one)"


@click.command("ask")
@click.argument("question", nargs=-1, required=True)
@click.option("--no-llm", is_flag=True, help="Answer from the store alone, even where a model is configured.")
@click.option("--yes", is_flag=True, help="Start what /retest or /experiment would ask about.")
@json_option
@click.pass_context
def ask(ctx: click.Context, question: tuple[str, ...], no_llm: bool, yes: bool, as_json: bool) -> int:
    """Answer one QUESTION about the claims that are held, with citations. Exit code 1: no held claim bears on it.

    Also does one of the conversation's commands: /show CLAIM, /retest CLAIM, /experiment CLAIM.
    """
    set_up_logging(ctx.obj["debug"])
    from agent.chat.intents import wanted_action
    from agent.settings import load_settings
    from agent.wiring import open_store
    from claims.clock import SystemClock

    text = " ".join(question).strip()
    if not text:
        raise InputError("the question is empty")
    settings = load_settings()
    clock = SystemClock()
    with open_store(settings, clock) as store:
        if text.startswith("/") or wanted_action(text):
            reply = ordered(store, text, settings, clock, yes=yes, as_json=as_json)
            return 0 if reply.held else 1
        model = chat_model(settings, wanted=not no_llm)
        if model is None:
            from agent.chat.answer import ask as ask_store

            reply = ask_store(store, text, clock)
            if not as_json:
                show(reply)
        else:
            from agent.chat.asked import understood
            from agent.chat.model import ask_model

            told = say_nothing if as_json else show_sentence
            reply = ask_model(store, understood(store, text, clock), clock, model, on_sentence=told)
            if not as_json:
                show_end(reply)
    if as_json:
        print_json(reply.model_dump(mode="json"))
    elif model is None:
        console(stderr=True).print(NO_MODEL, soft_wrap=True)
    return 0 if reply.held else 1


def ordered(store: "Store", order: str, settings: "Settings", clock: "Clock", *, yes: bool, as_json: bool) -> "Reply":
    """Do one of the conversation's commands in a conversation of its own, which is not kept."""
    from langgraph.checkpoint.memory import InMemorySaver

    from agent.act import OneClaim
    from agent.chat.graph import ChatParts, Conversation

    actions = OneClaim(store, settings, clock, watch=show_step)
    parts = ChatParts(store, clock, actions=actions, on_sentence=say_nothing if as_json else show_sentence)
    # Standard output is the document's with --json, so that nothing can be asked there.
    reply = Conversation(parts, InMemorySaver(), "ask").say(
        order, approve=lambda q: yes or (not as_json and approve(q))
    )
    if as_json:
        print_json(reply.model_dump(mode="json"))
    else:
        show_end(reply)
    return reply


@click.command("chat")
@click.option("--thread", default="default", show_default=True, help="Name of the conversation; it is kept.")
@click.option("--no-llm", is_flag=True, help="Answer from the store alone, even where a model is configured.")
@click.option("--source", default="auto", show_default=True, help="Where /retest looks: auto, arxiv, mirror, library.")
@click.option("--profile", default="tiny", show_default=True, help="Size of the experiment that /experiment runs.")
@click.pass_context
def chat(ctx: click.Context, thread: str, no_llm: bool, source: str, profile: str) -> int:
    """Talk about the claims that are held. /help says what can be asked; Ctrl-C stops an answer, Ctrl-D leaves."""
    set_up_logging(ctx.obj["debug"])
    from agent.act import OneClaim
    from agent.chat.graph import ChatParts, Conversation
    from agent.cli.run import check_profile
    from agent.settings import load_settings
    from agent.wiring import SOURCE_CHOICES, open_checkpoints, open_store
    from claims.clock import SystemClock

    settings = load_settings()
    if source not in SOURCE_CHOICES:
        raise InputError(f"no source {source!r}; there are {', '.join(SOURCE_CHOICES)}")
    check_profile(profile)
    clock = SystemClock()
    err = console(stderr=True)
    with open_store(settings, clock) as store, open_checkpoints(settings) as saver:
        model = chat_model(settings, wanted=not no_llm)
        actions = OneClaim(store, settings, clock, source=source, profile=profile, watch=show_step)
        parts = ChatParts(store, clock, model, actions, on_sentence=show_sentence)
        conversation = Conversation(parts, saver, thread)
        n = len(conversation.history())
        err.print(f"{NO_MODEL if model is None else f'answers by {model.name}, checked against the store'}")
        err.print(f"/help, /quit; {f'{n} earlier turns are remembered' if n else 'a new conversation'}")
        while (message := read_line()) is not None:
            if message in ("/quit", "/exit"):
                break
            if not message:
                continue
            try:
                show_end(conversation.say(message, approve=approve))
            except KeyboardInterrupt:
                err.print("\nstopped; what was said before is kept")
    return 0


def chat_model(settings: "Settings", *, wanted: bool) -> "ChatModel | None":
    """Open the configured model, or None where none is configured or wanted."""
    if not wanted or not settings.llm:
        return None
    from agent.wiring import open_llm

    return open_llm(settings)


def read_line() -> str | None:
    """Read what a person says; None at the end of input. Ctrl-C empties the line, and twice in a row leaves."""
    for last in (False, True):
        try:
            return input("> ").strip()
        except EOFError:
            return None
        except KeyboardInterrupt:
            click.echo("" if last else "\n(Ctrl-C again or Ctrl-D leaves)", err=True)
    return None


def approve(question: str) -> bool:
    """Ask before anything is started; no answer is a no."""
    try:
        return input(f"{plain(question)} [y/N] ").strip().lower() in ("y", "yes")
    except (EOFError, KeyboardInterrupt):
        click.echo("", err=True)
        return False


def say_nothing(sentence: "Sentence") -> None:
    """Show no sentence before the whole answer."""
    del sentence


def show_sentence(sentence: "Sentence") -> None:
    """Print one sentence at once."""
    console().print(plain(str(sentence)), soft_wrap=True)


def show_step(step: Any) -> None:
    """Say on stderr what an action is doing."""
    if step.message and step.node in ("dispatch", "await_run", "screen", "decide"):
        console(stderr=True).print(f"{step.node}: {plain(step.message, 140)}", soft_wrap=True)


def show(reply: "Reply") -> None:
    """Print an answer."""
    for sentence in reply.sentences:
        show_sentence(sentence)
    show_end(reply)


def show_end(reply: "Reply") -> None:
    """Print what stands below the sentences: the references, and BibTeX where it was asked for."""
    out = console()
    if reply.grounds:
        out.print()
    for ground in reply.grounds:
        out.print(f"    {plain(str(ground))}", soft_wrap=True)
    if reply.bibtex:
        # Not `plain`: entries have lines, and their characters were made safe when they were written.
        out.print("\n" + reply.bibtex.rstrip(), soft_wrap=True)
