"""What an experiment leaves open and the lab's settings say: the models of a profile, pinned by their content."""

from pathlib import Path

from claims.experiment import ExperimentSpec
from lab import models
from lab.catalogue import Catalogue
from lab.errors import InvalidSpec
from lab.protocols.design import MODELS
from lab.settings import LabSettings


def completed(spec: ExperimentSpec, catalogue: Catalogue, settings: LabSettings) -> ExperimentSpec:
    """Give the spec with every model that it trains named and pinned, so that its digest names what is run.

    A hub model has its revision, a local one its whole path and the digest of its content. Where several machines share
    the lab, a path that this one does not have stays as it is, for the one that runs it. Raises InvalidSpec when a
    model is missing, is not there, or has other content than the spec says.
    """
    defaults = catalogue.find(spec.protocol, spec.protocol_version).view().defaults.get(spec.profile, {})
    given = {"model": settings.small_model, "small_model": settings.proxy_model}
    params = dict(spec.params)
    for name, pin in MODELS.items():
        model = params.get(name, defaults.get(name))
        if model == "" and given[name]:
            model, revision = _split(given[name] or "")
            params |= {name: model, pin: revision} if revision else {name: model}
        if model == "":
            raise InvalidSpec(
                f"profile {spec.profile!r} needs `{name}`: a local folder, a .gguf file, or a hub id and `{pin}`; or "
                f"set RETEST_LAB_{'SMALL' if name == 'model' else 'PROXY'}_MODEL where the lab runs"
            )
        if not isinstance(model, str) or model == "tiny":
            continue
        path = Path(model).expanduser()
        if path.exists():
            # A run works in a folder of its own, where a relative path leads nowhere.
            params[name] = model = str(path.absolute())
        elif models.is_path(model) and not settings.is_one_machine:
            continue
        params[pin] = models.identity(model, str(params.get(pin, "")))["revision"]
    return spec if params == spec.params else spec.model_copy(update={"params": params})


def _split(named: str) -> tuple[str, str]:
    """Read `id@revision`; a path may hold an `@` of its own."""
    if models.is_path(named) or Path(named).exists():
        return named, ""
    model, _, revision = named.partition("@")
    return model, revision
