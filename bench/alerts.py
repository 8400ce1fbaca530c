"""How long an alert takes from its row in SQL to the mail server, and what mails cost.

    python bench/alerts.py [--seconds 20] [--rate 2]

Starts an SMTP server on this machine, writes severe mentions with their alerts at a steady rate as routing does, and
lets the mailer run beside it. Prints percentiles of (server took it - alert's transaction began) in milliseconds.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import threading
import time
from pathlib import Path

import structlog

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "routing")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=2.0, help="alerts a second")
    parser.add_argument("--mentions", type=int, default=20_000, help="mentions that are there before")
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), chosen.seconds, chosen.rate, chosen.mentions)


def measure(folder: Path, seconds: float, rate: float, mentions: int) -> None:
    from mail_home import SETTINGS, MailHome, smtp
    from smtp_server import SmtpServer

    from routing.mail_status import mail_status
    from routing.mailer import Mailer
    from routing.people_to_tell import Person
    from stream.clock import WallClock

    people = [Person(id="p", name="Person", email="p@example.org", max_mails_per_hour=100_000)]
    home = MailHome(folder, people)
    home.clock.at = WallClock().now()
    for _ in range(mentions):
        home.stage_severe()
    home.write_staged(alerts=False)
    with SmtpServer() as server:
        mailer = Mailer(home.engine, WallClock(), smtp(server.port), lambda: people, SETTINGS, journal=folder / "j")
        stop = threading.Event()
        thread = threading.Thread(target=mailer.run, args=(stop,))
        thread.start()
        sent = 0
        end = time.monotonic() + seconds
        started_cpu = time.process_time()
        while time.monotonic() < end:
            # `stage_severe` sets appended_at a second and a half before the clock: taken back here.
            home.clock.at = WallClock().now() + 1_500
            home.severe()
            sent += 1
            time.sleep(1 / rate)
        cpu = time.process_time() - started_cpu
        while len(server.mails) < sent:
            time.sleep(0.05)
        time.sleep(0.3)
        stop.set()
        mailer.nudge()
        thread.join()
        status = mail_status(home.engine, WallClock().now())
    home.close()
    print(f"{sent} alerts at {rate:g}/s over {mentions:,} mentions:")
    print(f"p50 {status.latency_p50} ms, p99 {status.latency_p99} ms")
    print(f"{1000 * cpu / sent:.1f} ms of CPU an alert, server and writer included")


if __name__ == "__main__":
    main()
