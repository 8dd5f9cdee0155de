"""The pages of experiments: what was changed and what stands beside the primary effect is seen there too."""

from pathlib import Path

from claims.experiment import ExperimentSpec, RunState, RunView
from claims.store import Store
from tests.dossiers import estimate, experiment
from tests.webs import CLOCK, browsing, settings_for


def test_changed_parameters_and_secondary_effects_stand_on_the_pages(tmp_path: Path, sqlite_url: str) -> None:
    spec = ExperimentSpec(protocol="data-quantity", protocol_version=1, params={"times": 2, "tune_steps": 120})
    plain = experiment(spec=spec, defaults={"times": 10, "tune_steps": 120})
    assert plain.result is not None
    beside = estimate(-0.27, 0.06, n=26).model_copy(update={"name": "accuracy: curated - curated-10x"})
    shown = plain.model_copy(update={"result": plain.result.model_copy(update={"secondary": (beside,)})})
    with Store.open(sqlite_url, clock=CLOCK) as store:
        store.put_experiment(shown)
    with browsing(settings_for(tmp_path / "web", sqlite_url, lab_url="http://127.0.0.1:9")) as client:
        page, listed = client.get(f"/experiments/{shown.id}").text, client.get("/experiments").text
    assert "differs from the registered defaults: times=2 (10)" in page
    assert "differs from the registered defaults: times=2 (10)" in listed
    assert "accuracy: curated - curated-10x: −0.270 [−0.330, −0.210] (95 %, n = 26 seeds), below +0.05" in page


def test_the_time_left_is_never_no_minutes_at_all(tmp_path: Path, sqlite_url: str) -> None:
    spec = ExperimentSpec(protocol="data-quantity", protocol_version=1)
    runs = (RunView(id=spec.run(0).id, spec=spec.run(0), state=RunState.RUNNING),)
    shown = experiment(spec=spec, runs=runs, state=RunState.RUNNING, result=None, seconds_left=20.0)
    with Store.open(sqlite_url, clock=CLOCK) as store:
        store.put_experiment(shown)
    with browsing(settings_for(tmp_path / "web", sqlite_url, lab_url="http://127.0.0.1:9")) as client:
        assert "about 20 seconds left" in client.get(f"/experiments/{shown.id}").text


def test_a_name_that_no_experiment_can_have_is_not_held_whether_or_not_a_lab_is_there(
    tmp_path: Path, sqlite_url: str
) -> None:
    with browsing(settings_for(tmp_path / "web", sqlite_url, lab_url="http://127.0.0.1:9")) as client:
        assert client.get("/experiments/nope").status_code == 404
