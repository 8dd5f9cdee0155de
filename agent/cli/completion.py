"""`retest completion SHELL`: what a shell needs to complete commands, options and claim ids."""

from pathlib import Path

import click
from click.shell_completion import CompletionItem, get_completion_class

SHELLS = ("bash", "zsh", "fish")

VARIABLE = "_RETEST_COMPLETE"
"""Set by the script, read by click before anything else of retest runs."""

_FILES = {
    "bash": "~/.local/share/bash-completion/completions/retest",
    "zsh": "~/.zfunc/_retest",
    "fish": "~/.config/fish/completions/retest.fish",
}
"""Where each shell looks without being told; zsh once `~/.zfunc` is on its `fpath`."""


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.option("--install", is_flag=True, help="Write it where the shell looks for it, and say where that is.")
@click.pass_context
def completion(ctx: click.Context, shell: str, install: bool) -> int:
    """Print the completion script of SHELL: `eval "$(retest completion bash)"`, or --install it for good."""
    kind = get_completion_class(shell)
    assert kind is not None, "click knows these shells"
    text = kind.source_template % kind(ctx.find_root().command, {}, "retest", VARIABLE).source_vars()
    if not install:
        click.echo(text)
        return 0
    path = Path(_FILES[shell]).expanduser()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")
    click.echo(f"written to {path}; it counts in every new shell")
    if shell == "zsh":
        click.echo("zsh looks there once ~/.zshrc has: fpath=(~/.zfunc $fpath); autoload -Uz compinit; compinit")
    return 0


def claim_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the id of a held claim, with what it says beside it. A store that cannot be read completes nothing."""
    del ctx, param
    from agent.settings import load_settings
    from claims.errors import RetestError
    from claims.lines import read_sqlite

    try:
        url = load_settings().store_url
        if url.startswith("sqlite:///"):
            # Nothing is made and nothing is migrated by pressing a key.
            file = Path(url.removeprefix("sqlite:///"))
            held = (read_sqlite(file, None, None) or []) if file.exists() else []
        else:
            from claims.store import Store

            with Store.open(url, migrate=False) as store:
                held = store.overview()
    except RetestError:
        return []
    return [CompletionItem(line.claim_id, help=line.text[:80]) for line in held if line.claim_id.startswith(incomplete)]
