"""What CI refuses of the benchmark: figures far from what was reached, whatever the machine."""

import quick

REACHED = {
    "generation_vs_textbook": 606.0,
    "end_to_end_vs_textbook": 151.5,
    "end_to_end_vs_publish": 41.3,
    "publish_vs_grpc_ceiling": 0.862,
    "rss_mb": 120.3,
    "first_event_seconds": 0.76,
}


def test_what_was_reached_passes() -> None:
    assert quick.beyond(REACHED) == []
    assert quick.GUARDS.keys() == REACHED.keys()


def test_a_slow_generator_and_a_large_worker_are_named() -> None:
    assert quick.beyond(REACHED | {"generation_vs_textbook": 90.0, "rss_mb": 400.0}) == [
        "generation_vs_textbook is 90.0, below 200",
        "rss_mb is 400.0, above 160",
    ]
