"""What a lookout saw last is what it says, and a silent place says nothing new."""

import threading
from collections.abc import Callable

from diurnal_worker.dataset import DatasetUnavailableError
from diurnal_worker.lookout import Lookout

OFTEN = 0.001


def answering(*answers: str | None) -> tuple[Callable[[], str], threading.Event]:
    """Gives these answers (None: nobody answers), the last one again and again; the event: all were given."""
    left, given = list(answers), threading.Event()

    def look() -> str:
        if len(left) == 1:
            given.set()
        answer = left[0] if len(left) == 1 else left.pop(0)
        if answer is None:
            raise DatasetUnavailableError("try later")
        return answer

    return look, given


def test_nothing_is_known_before_the_first_answer() -> None:
    answer = threading.Event()

    def look() -> str:
        answer.wait(10)
        return "changed"

    lookout = Lookout(look, OFTEN)
    assert lookout.news is None
    answer.set()
    lookout.close()


def test_the_last_answer_counts_and_stands_where_nobody_answers() -> None:
    look, given = answering("", "changed", None)
    lookout = Lookout(look, OFTEN)
    assert given.wait(10)
    assert lookout.news == "changed"
    lookout.close()


def test_a_closed_one_asks_no_more() -> None:
    asked = threading.Semaphore(0)

    def look() -> str:
        asked.release()
        return ""

    lookout = Lookout(look, 3600.0)
    assert asked.acquire(timeout=10)
    lookout.close()
    assert not asked.acquire(timeout=0.05)
