"""A digest goes to a real mail server: whole, encrypted, again when it is away, and its failure stops nothing."""

import logging
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from agent.refresh.deliver import Receivers, receivers
from agent.refresh.mail import TRIES, Mailbox, MailPartlyRefused, MailRefused, MailUnreachable, mail_digest, mailbox
from agent.refresh.state import NightState, state_of
from agent.settings import Settings, load_settings
from claims.clock import FrozenClock
from claims.digest import Change, Digest
from claims.errors import InputError
from claims.report.digest import render_digest
from claims.store import Store
from claims.verdict import VerdictKind
from tests.factories import NOON
from tests.mail_server import MailServer, trusted

NIGHT = date(2026, 8, 21)
CLOCK = FrozenClock(NOON)
CHANGE = Change(
    claim_id="a-claim-000001",
    claim="Ümlauts & <b>markup</b>\r\nBcc: everybody@example.org",
    before=VerdictKind.STANDS,
    after=VerdictKind.OVERTURNED,
    confidence=0.8,
    reason="two voices against it",
)
DIGEST = Digest(night=NIGHT, judge="local 1", changes=(CHANGE,))
LOGIN = ("ada", "s3cret-Pässword")


def box(server: MailServer, tls: str = "none", **more: object) -> Mailbox:
    made = Mailbox(("ada@example.org",), "retest@example.org", "127.0.0.1", server.port, tls, timeout_s=10)  # type: ignore[arg-type]
    return made._replace(**more)  # type: ignore[arg-type]


def unslept(seconds: float) -> None:
    del seconds


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    return trusted(tmp_path)


def test_the_digest_arrives_as_text_and_as_a_page() -> None:
    with MailServer() as server:
        assert mail_digest(DIGEST, box(server), CLOCK) == 1
    (got,) = server.got
    assert got["Subject"] == "retest 2026-08-21: 1 verdict changed"
    assert (got["From"], got["To"]) == ("retest@example.org", "ada@example.org")
    assert got["Bcc"] is None
    assert got["Date"].datetime == NOON
    text, page = got.get_body(("plain",)), got.get_body(("html",))
    assert text is not None
    assert page is not None
    assert text.get_content().splitlines() == render_digest(DIGEST, "md").splitlines()
    assert page.get_content().splitlines() == render_digest(DIGEST, "html").splitlines()


def test_the_same_digest_has_the_same_message_id() -> None:
    with MailServer() as server:
        for digest in (DIGEST, DIGEST, DIGEST.model_copy(update={"judge": "another"})):
            mail_digest(digest, box(server), CLOCK)
    one, again, other = (got["Message-ID"] for got in server.got)
    assert one == again
    assert one != other
    assert one.endswith("@example.org>")


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_login_and_the_digest_go_encrypted(tls: str, ca: Path) -> None:
    with MailServer(tls, login=LOGIN) as server:
        mail_digest(DIGEST, box(server, tls, ca=ca, user=LOGIN[0], password=LOGIN[1]), CLOCK)
    assert server.encrypted == [True]
    assert server.logins == [LOGIN]


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_nothing_is_told_to_a_server_whose_certificate_is_not_trusted(tls: str) -> None:
    with MailServer(tls, login=LOGIN) as server:
        with pytest.raises(MailRefused, match="certificate"):
            mail_digest(DIGEST, box(server, tls, user=LOGIN[0], password=LOGIN[1]), CLOCK, sleep=unslept)
        assert (server.got, server.logins) == ([], [])


def test_nothing_is_told_to_a_server_that_cannot_encrypt() -> None:
    with MailServer("none", login=LOGIN) as server:
        with pytest.raises(MailRefused, match="STARTTLS"):
            mail_digest(DIGEST, box(server, "starttls", user=LOGIN[0], password=LOGIN[1]), CLOCK, sleep=unslept)
        assert (server.got, server.logins) == ([], [])


def test_a_server_that_is_busy_gets_it_later() -> None:
    waited: list[float] = []
    with MailServer() as server:
        server.play("451 try again later", "421 too many connections")
        assert mail_digest(DIGEST, box(server), CLOCK, sleep=waited.append) == 3
    assert len(server.got) == 1
    assert waited == [1.0, 2.0]


def test_a_refused_login_is_not_repeated_and_the_password_not_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with MailServer(login=LOGIN) as server, pytest.raises(MailRefused) as refusal:
        made = box(server, user="ada", password="not-the-password")
        mail_digest(DIGEST, made, CLOCK, sleep=unslept)
    assert len(server.logins) == 2  # of one try: first as PLAIN, then as LOGIN
    assert "535" in str(refusal.value)
    assert "not-the-password" not in f"{refusal.value}{caplog.text}{made!r}"


def test_a_refused_message_is_not_repeated() -> None:
    with MailServer() as server:
        server.play("554 looks like spam")
        with pytest.raises(MailRefused, match="554 looks like spam"):
            mail_digest(DIGEST, box(server), CLOCK, sleep=unslept)


def test_one_refused_recipient_is_named_and_the_others_get_it() -> None:
    to = ("ada@example.org", "gone@example.org")
    with MailServer(refuses=("gone@example.org",)) as server:
        with pytest.raises(MailPartlyRefused, match=r"gone@example\.org: 550"):
            mail_digest(DIGEST, box(server, to=to), CLOCK, sleep=unslept)
        assert len(server.got) == 1
        with pytest.raises(MailRefused, match="every recipient"):
            mail_digest(DIGEST, box(server, to=to[1:]), CLOCK, sleep=unslept)


def test_a_server_that_stays_away_is_said() -> None:
    with MailServer() as server:
        gone = box(server)
    waited: list[float] = []
    with pytest.raises(MailUnreachable, match=f"{TRIES} tries"):
        mail_digest(DIGEST, gone, CLOCK, sleep=waited.append)
    assert len(waited) == TRIES - 1


@pytest.fixture
def held(sqlite_url: str) -> Iterator[Store]:
    """A store in which the night took place."""
    with Store.open(sqlite_url, clock=CLOCK) as store:
        store.begin_night(NIGHT, NightState(marks={}).model_dump_json())
        yield store


def test_a_digest_is_sent_once_however_often_its_night_is_run(held: Store) -> None:
    with MailServer() as server:
        to = Receivers(box=box(server), sleep=unslept)
        assert to.deliver(DIGEST, held, CLOCK) == {}
        again = DIGEST.model_copy(update={"cost": DIGEST.cost.model_copy(update={"seconds": 9.0})})
        assert to.deliver(again, held, CLOCK) == {}
        assert len(server.got) == 1
        to.deliver(DIGEST.model_copy(update={"changes": (CHANGE, CHANGE)}), held, CLOCK)
        assert len(server.got) == 2


def test_a_failure_is_told_and_kept_and_made_up_for(held: Store, caplog: pytest.LogCaptureFixture) -> None:
    with MailServer() as server:
        to = Receivers(box=box(server), webhook="http://127.0.0.1:9/hook", sleep=unslept)
        server.play("554 no")
        failed = to.deliver(DIGEST, held, CLOCK)
        assert failed.keys() == {"mail", "webhook"}
        assert "could not be sent by mail" in caplog.text
        night = held.night(NIGHT)
        assert night is not None
        assert state_of(night).undelivered == failed
        assert to.deliver(DIGEST, held, CLOCK).keys() == {"webhook"}
        assert len(server.got) == 1
        night = held.night(NIGHT)
        assert night is not None
        assert state_of(night).undelivered.keys() == {"webhook"}


def test_a_night_in_which_nothing_happened_is_not_sent(held: Store) -> None:
    with MailServer() as server:
        Receivers(box=box(server)).deliver(Digest(night=NIGHT, judge="local 1"), held, CLOCK)
        assert server.got == []


def settings(**given: object) -> Settings:
    return load_settings(**given)


def test_the_settings_say_where_digests_go() -> None:
    assert mailbox(settings()) is None
    made = mailbox(settings(mail_to=("ada@example.org",), smtp_host="mail.example.org", smtp_tls="tls"))
    assert made is not None
    assert (made.port, made.sender) == (465, "ada@example.org")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"mail_to": ("a@example.org",)}, "RETEST_SMTP_HOST"),
        ({"smtp_host": "mail.example.org"}, "RETEST_MAIL_TO"),
        ({"mail_to": ("a@example.org\nBcc: b@example.org",)}, "RETEST_MAIL_TO"),
        ({"mail_to": ("a@example.org",), "smtp_host": "h", "smtp_user": "ada"}, "RETEST_SMTP_PASSWORD"),
        (
            {
                "mail_to": ("a@example.org",),
                "smtp_host": "mail.example.org",
                "smtp_tls": "none",
                "smtp_user": "ada",
                "smtp_password": "x",
            },
            "without encryption",
        ),
    ],
)
def test_settings_that_cannot_work_are_named(given: dict[str, object], named: str) -> None:
    with pytest.raises(InputError, match=named):
        mailbox(settings(**given))


def test_a_webhook_that_is_no_web_address_is_named_before_the_night() -> None:
    with pytest.raises(InputError):
        receivers(settings(webhook="file:///etc/passwd"))
