"""What CI refuses of the benchmark: figures far from what was reached, whatever the machine."""

import quick

REACHED = {
    "generation_vs_textbook": 606.0,
    "end_to_end_vs_textbook": 151.5,
    "end_to_end_vs_publish": 41.3,
    "publish_vs_grpc_ceiling": 0.862,
    "rss_mb": 120.3,
    "first_event_seconds": 0.76,
    "generation_vs_numpy_thinning": 1.63,
    "shard_of_eight_vs_whole": 0.85,
    "year_of_counts_seconds": 50.0,
    "resume_cpu_seconds": 0.0873,
    "low_rate_cpu_percent": 0.9,
    "low_rate_rss_mb": 96.6,
}


def test_what_was_reached_passes() -> None:
    assert quick.beyond(REACHED) == []
    assert (quick.GUARDS | quick.MORE_GUARDS).keys() == REACHED.keys()


def test_the_quick_one_keeps_its_keys() -> None:
    figures = quick.ratios(dict.fromkeys(quick.ROWS, 1.0), 100.0, 1.0)
    assert figures.keys() == quick.GUARDS.keys()
    assert quick.beyond({key: REACHED[key] for key in quick.GUARDS}) == []


def test_a_slow_generator_and_a_large_worker_are_named() -> None:
    assert quick.beyond(REACHED | {"generation_vs_textbook": 90.0, "rss_mb": 400.0}) == [
        "generation_vs_textbook is 90.0, below 200",
        "rss_mb is 400.0, above 140",
    ]
