"""`python -m tests.second_opinion --runs N --seed S`: run sessions, and report the violations that they found."""

from __future__ import annotations

import argparse
import signal
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.second_opinion.report import Figures, account, transcript
from tests.second_opinion.run_session import run_session
from tests.second_opinion.session import Session


def tell(text: str) -> None:
    """Print a line at once, so that a reader can follow a long run."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _tell_of(session: Session, figures: Figures, *, in_full: bool) -> None:
    figures.add(session)
    tell(f"seed {session.seed}: {len(session.runs)} commands, {len(session.violations)} violations")
    if session.violations:
        tell(account(session))
    if in_full or session.violations:
        tell(transcript(session))


def main() -> int:
    """Run the sessions, and print the violations and the figures. Return 1 if there is a violation."""
    parser = argparse.ArgumentParser(prog="python -m tests.second_opinion", description=__doc__)
    parser.add_argument("--runs", type=int, default=10, metavar="N", help="how many sessions")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="the first seed; each session takes the next")
    parser.add_argument("--beside", type=int, default=1, metavar="K", help="so many sessions at once")
    parser.add_argument("--transcript", action="store_true", help="print all that happened in each session")
    words = parser.parse_args()
    for each in (signal.SIGINT, signal.SIGTERM):  # a shell starts a background process with SIGINT ignored
        signal.signal(each, signal.default_int_handler)
    figures = Figures()
    with ThreadPoolExecutor(words.beside) as pool:
        playing = [
            pool.submit(lambda seed: run_session(Session(seed)), seed)
            for seed in range(words.seed, words.seed + words.runs)
        ]
        try:
            for ended in as_completed(playing):
                _tell_of(ended.result(), figures, in_full=words.transcript)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            tell("Interrupted: these are the figures of the sessions that have ended.")
        tell(figures.text())
    return 1 if figures.violations else 0


if __name__ == "__main__":
    sys.exit(main())
