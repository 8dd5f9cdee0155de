"""What the lab's settings say where an experiment says nothing: the model of a profile, and what its seeds may use."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from claims.clock import SystemClock
from claims.experiment import ExperimentSpec, ExperimentView, Limits, Submission
from lab.app import make_app
from lab.catalogue import Catalogue
from lab.control import Queue
from lab.errors import LabError
from lab.ledger import Ledger
from lab.profiles import completed
from lab.protocols.registry import get
from lab.settings import LabSettings

SMALL = ExperimentSpec(protocol="data-quantity", protocol_version=get("data-quantity").version, profile="small")
HUB = "someone/model@" + "0123456789" * 4


class Served:
    """The application with its settings, and no worker."""

    def __init__(self, home: Path, **settings: object) -> None:
        self.settings = LabSettings.model_validate(
            {"data_home": home, "token": SecretStr("t"), "cpu_slots": 2, "gpu_slots": 0} | settings
        )
        catalogue = Catalogue()
        self.ledger = Ledger(self.settings.home, catalogue, SystemClock())
        self.queue = Queue(self.settings)
        app = make_app(self.settings, self.ledger, catalogue, self.queue)
        self.http = TestClient(app, headers={"Authorization": "Bearer t"})

    def send(self, spec: ExperimentSpec = SMALL, n_seeds: int = 1, **limits: object) -> ExperimentView:
        asked = Submission(spec=spec, n_seeds=n_seeds, limits=Limits.model_validate(limits))
        answer = self.http.post("/experiments", json=asked.model_dump(mode="json", exclude_unset=True))
        assert answer.is_success, answer.text
        return ExperimentView.model_validate(answer.json())

    def limits(self, view: ExperimentView, seed: int = 0) -> Limits:
        order = self.ledger.run(view.runs[seed].id).order()
        assert order is not None
        return order.limits


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    served: list[Served] = []

    def start(**settings: object) -> Served:
        served.append(Served(tmp_path, **settings))
        return served[-1]

    yield start
    for one in served:
        one.queue.close()


def model(folder: Path, weights: bytes = b"weights") -> Path:
    """Write what looks like a local model to whoever names it by its content."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(weights)
    return folder


def test_small_without_a_model_is_refused_with_the_setting_that_names_one(serve: Callable[..., Served]) -> None:
    answer = serve().http.post("/experiments", json={"spec": SMALL.model_dump(mode="json"), "n_seeds": 1})
    assert answer.status_code == 422
    assert "set RETEST_LAB_SMALL_MODEL where the lab runs" in answer.json()["detail"]


def test_small_runs_the_model_that_the_settings_name_pinned(serve: Callable[..., Served], tmp_path: Path) -> None:
    view = serve(small_model=HUB).send()
    assert (view.spec.params["model"], view.spec.params["revision"]) == tuple(HUB.split("@"))
    assert view.runs[0].spec.params == view.spec.params, "a run's name tells which model it trained"

    local = serve(small_model=str(model(tmp_path / "m@1"))).send()
    assert local.spec.params["model"] == str(tmp_path / "m@1")
    assert str(local.spec.params["revision"]).startswith("sha256:")


def test_an_experiment_is_found_by_the_name_under_which_it_was_asked_for(serve: Callable[..., Served]) -> None:
    lab = serve(small_model=HUB)
    view = lab.send(n_seeds=2)
    assert view.id != SMALL.id
    for method in ("GET", "DELETE"):
        found = lab.http.request(method, f"/experiments/{SMALL.id}").json()
        assert (found["id"], len(found["runs"])) == (view.id, 2)
    assert lab.send(n_seeds=2).id == view.id


def test_a_model_replaced_under_its_path_is_another_experiment(serve: Callable[..., Served], tmp_path: Path) -> None:
    lab = serve(small_model=str(model(tmp_path / "m")))
    first = lab.send()
    model(tmp_path / "m", b"others")
    second = lab.send()
    assert first.id != second.id
    assert lab.http.get(f"/experiments/{SMALL.id}").json()["id"] == second.id, "the last that was asked for so"
    model(tmp_path / "m")
    assert lab.send().id == first.id
    assert lab.http.get(f"/experiments/{SMALL.id}").json()["id"] == first.id
    assert len(lab.http.get("/experiments").json()) == 2
    model(tmp_path / "m", b"others")
    answer = lab.http.post("/experiments", json={"spec": first.spec.model_dump(mode="json"), "n_seeds": 2})
    assert answer.status_code == 422
    assert "has other content now" in answer.json()["detail"], "its further seeds would be of another model"


def test_a_relative_path_is_made_whole_for_the_run(
    serve: Callable[..., Served], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model(tmp_path / "m")
    monkeypatch.chdir(tmp_path)
    spec = SMALL.model_copy(update={"params": {"model": "m"}})
    assert serve().send(spec).spec.params["model"] == str(tmp_path / "m")


def test_where_machines_share_a_lab_a_path_may_be_another_ones(tmp_path: Path) -> None:
    shared = LabSettings(data_home=tmp_path, database_url="postgresql://db/lab", small_model="/elsewhere/m")
    assert completed(SMALL, Catalogue(), shared).params == {"model": "/elsewhere/m"}
    alone = LabSettings(data_home=tmp_path, small_model="/elsewhere/m")
    with pytest.raises(LabError, match="no such folder"):
        completed(SMALL, Catalogue(), alone)
    for settings in (shared, alone):
        with pytest.raises(LabError, match="needs `revision` as 40 hex digits"):
            completed(SMALL, Catalogue(), settings.model_copy(update={"small_model": "someone/model"}))


def test_proxy_tuning_needs_its_second_model_too(tmp_path: Path) -> None:
    proxy = SMALL.model_copy(update={"protocol": "proxy-tuning", "protocol_version": get("proxy-tuning").version})
    settings = LabSettings(data_home=tmp_path, small_model=HUB)
    with pytest.raises(LabError, match="RETEST_LAB_PROXY_MODEL"):
        completed(proxy, Catalogue(), settings)
    both = completed(proxy, Catalogue(), settings.model_copy(update={"proxy_model": HUB}))
    assert both.params["small_model"] == "someone/model"
    assert both.params["small_revision"] == both.params["revision"]


def test_a_seed_of_small_gets_a_gpu_where_there_is_one_and_tiny_gets_none(serve: Callable[..., Served]) -> None:
    lab = serve(small_model=HUB, gpu_slots=1)
    small = lab.limits(lab.send())
    assert (small.gpus, small.time_s, small.memory_gib) == (1, 14_400, 32)
    tiny = SMALL.model_copy(update={"profile": "tiny"})
    assert lab.limits(lab.send(tiny)) == Limits()

    without = serve(small_model=HUB, gpu_slots=0)
    other = SMALL.model_copy(update={"params": {"n_items": 16}})
    assert without.limits(without.send(other)).gpus == 0, "it would wait for ever"


def test_a_gpu_of_another_machine_is_asked_for(tmp_path: Path) -> None:
    for more in ({"driver": "ray"}, {"database_url": "postgresql://db/lab"}):
        settings = LabSettings.model_validate({"data_home": tmp_path, "gpu_slots": 0} | more)
        assert settings.limits_of("small").gpus == 1


def test_limits_that_are_named_hold_over_the_settings_and_for_later_seeds(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETEST_LAB_LIMITS", '{"small": {"memory_gib": 64}, "tiny": {"time_s": 60}}')
    lab = serve(small_model=HUB, gpu_slots=1)
    set_by_operator = lab.limits(lab.send())
    assert (set_by_operator.memory_gib, set_by_operator.time_s, set_by_operator.gpus) == (64, 14_400, 1)

    named = lab.limits(lab.send(n_seeds=2, gpus=0, time_s=99), 1)
    assert (named.gpus, named.time_s, named.memory_gib) == (0, 99, 64)
    assert lab.limits(lab.send(n_seeds=3), 2) == named


@pytest.mark.parametrize("given", ["small", '{"small": {"gpus": "two"}}', '{"small": {"vram": 2}}', "[1]"])
def test_limits_that_cannot_be_read_are_named(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("RETEST_LAB_LIMITS", given)
    with pytest.raises(LabError, match="RETEST_LAB_LIMITS"):
        LabSettings.load()


@pytest.mark.parametrize(("visible", "counted"), [("", 0), ("5", 1), ("0,1", 2)])
def test_only_the_cards_that_the_lab_may_see_are_counted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, visible: str, counted: int
) -> None:
    devices = [Path(f"/dev/nvidia{n}") for n in range(8)] + [Path("/dev/nvidiactl")]
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(devices))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert LabSettings(data_home=tmp_path).gpus == counted
