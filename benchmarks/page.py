"""docs/performance.md, written from what `make bench` found."""

from __future__ import annotations

from typing import Any

ASKED = {
    "generation_vs_textbook": ("600", "2,000"),
    "generation_vs_numpy_thinning": ("1.5", "4"),
    "end_to_end_vs_textbook": ("100", "200, kernel 400"),
    "end_to_end_vs_publish": ("25", "75"),
    "publish_vs_grpc_ceiling": ("0.6", "0.9"),
    "rss_mb": ("150", "100"),
    "first_event_seconds": ("1.5", ""),
    "shard_of_eight_vs_whole": ("0.5", ""),
    "year_of_counts_seconds": ("60", ""),  # a year of ticks of one minute
    "low_rate_cpu_percent": ("2", ""),
    "low_rate_rss_mb": ("100", ""),
}
RATES = {
    "textbook_generation": "generate: textbook loop",
    "python_thinning": "generate: good pure Python thinning",
    "numpy_thinning": "generate: good numpy thinning",
    "diurnal_generation": "generate: Diurnal",
    "one_shard_of_eight": "generate: Diurnal, one shard of eight alone",
    "json_encoding": "make and encode JSON: Diurnal",
    "avro_encoding": "make and encode Avro: Diurnal",
    "copied_bytes": "copy the same bytes once (ceiling)",
    "textbook_end_to_end": "end to end: textbook loop and publish()",
    "library_publish": "publish() alone, ready messages",
    "diurnal_end_to_end": "end to end: Diurnal",
    "sink_with_ready_batches": "Diurnal's sink, ready batches",
    "sink_over_tls": "Diurnal's sink, ready batches, over TLS with a token",
    "grpc_ceiling": "raw gRPC stub, ready requests (ceiling)",
}
STEPS = ("generate", "make events", "encode")


def page(found: dict[str, Any]) -> str:
    """The whole page."""
    return "\n".join(
        [
            *_opening(found["machine"]),
            *_asked(found),
            *_rates(found),
            *_profile(found),
            *_resuming(found),
            CLOSING,
        ]
    )


def _opening(machine: dict[str, str]) -> list[str]:
    return [
        "# Performance",
        "Written by `make bench`; do not edit. The numbers are in [performance.json](performance.json).",
        "",
        (
            f"Measured {machine['date']} on {machine['processor']}, {machine['cores']} cores, Python "
            f"{machine['python']}, {machine['system']}; load average at the end {machine['load']}. "
            f"{machine['rounds']} round(s) of {machine['cpu_seconds_a_part']} CPU-seconds a part; median, and in "
            "brackets the lowest and highest round. A machine with a load above its cores makes all absolute numbers "
            "lower, wall times most; ratios are formed within a round."
        ),
        "",
    ]


def _value(found: dict[str, Any], name: str, digits: int = 3) -> str:
    if name not in found["median"]:
        return "not measured"
    median, low, high = (f"{found[of][name]:,.{digits}g}" for of in ("median", "lowest", "highest"))
    if found["median"][name] >= 1000:
        median, low, high = (f"{found[of][name]:,.0f}" for of in ("median", "lowest", "highest"))
    return f"{median} ({low} to {high})"


def _asked(found: dict[str, Any]) -> list[str]:
    lines = [
        "## What was asked",
        "Ratios per client CPU-second, the full message of eleven fields. The kernel is the optional extra `fast`. A year of counts is one of 525,600 ticks of a minute; the default world has 35,040 of a quarter of an hour.",
        "",
        "| figure | at least | aim | measured | with the kernel |",
        "|---|---|---|---|---|",
    ]
    for name, (least, aim) in ASKED.items():
        kernel = _value(found, f"{name}_kernel") if f"{name}_kernel" in found["median"] else ""
        lines.append(f"| `{name}` | {least} | {aim} | {_value(found, name)} | {kernel} |")
    return [*lines, ""]


def _rates(found: dict[str, Any]) -> list[str]:
    lines = [
        "## Messages a client CPU-second",
        "| way | numpy | with the kernel |",
        "|---|---|---|",
    ]
    for name, label in RATES.items():
        kernel = _value(found, f"{name}_kernel") if f"{name}_kernel" in found["median"] else ""
        lines.append(f"| {label} | {_value(found, name)} | {kernel} |")
    if (rate := found["tick_per_cpu_second"]) is not None:
        lines.append(f"| generate: `tick`'s SimuInhomogeneousPoisson, a process a country | {rate:,.0f} | |")
    return [*lines, ""]


def _profile(found: dict[str, Any]) -> list[str]:
    median = found["median"]
    publish = 1e9 / median["sink_with_ready_batches"]
    lines = [
        "## Where the time goes",
        "Nanoseconds of CPU an event.",
        "",
        "| step | numpy | with the kernel |",
        "|---|---|---|",
    ]
    for step in STEPS:
        kernel = f"{median[f'step: {step}_kernel']:.0f}" if f"step: {step}_kernel" in median else ""
        lines.append(f"| {step} | {median[f'step: {step}']:.0f} | {kernel} |")
    whole = [
        f"{1e9 / median[name]:.0f}" if name in median else ""
        for name in ("diurnal_end_to_end", "diurnal_end_to_end_kernel")
    ]
    return [
        *lines,
        f"| publish (the sink with ready batches) | {publish:.0f} | {publish:.0f} |",
        f"| of which gRPC itself (raw stub) | {1e9 / median['grpc_ceiling']:.0f} | {1e9 / median['grpc_ceiling']:.0f} |",
        f"| end to end | {whole[0]} | {whole[1]} |",
        "",
    ]


def _resuming(found: dict[str, Any]) -> list[str]:
    lines = [
        "## Resuming",
        "CPU-seconds from a ready worker in the middle of a tick to its first batch: at most 0.1 asked.",
        "",
        "| world | seconds |",
        "|---|---|",
    ]
    worlds = [name for name in found["median"] if name.startswith("resume: ")]
    return [
        *lines,
        *(f"| {name.removeprefix('resume: ')} users | {_value(found, name)} |" for name in worlds),
        "",
    ]


CLOSING = """\
## What stands between this and the aims
- **End to end**: gRPC itself takes what the table above says, for every message, and no client can be faster than that. Between the sum of the steps and the whole lie some 300 ns an event: the interpreter around each batch of 1,000, a thread that gRPC starts and ends for single calls, threads that hand each other the interpreter's lock, and pages that the kernel of the system clears anew for each buffer (some 60 ns, by `perf` and fault counts; reused buffers would spare them). With the compiled kernel the next to gain is one loop that makes and encodes an event, about 200 ns. 75 times `publish()` needs both, that loop and most of the 300; 400 times the textbook loop is beyond what the raw stub leaves for JSON messages of this length.
- **Generation**: one candidate in three or four is accepted, for all users of a slot share one envelope, the highest rate of the hour anywhere. The compiled kernel spends some ten nanoseconds on a candidate; numpy makes some twenty passes over it, and is near what its memory allows. Envelopes by time zone would reach the aims without a kernel, but they would change which events occur, which nothing may.
- **Memory**: numpy, gRPC and Google's client library take two thirds of it before the first event; it does not grow with users. The kernel brings LLVM, some 130 MB more, so it is loaded only where a shard may send 50,000 events a second or has no limit.
- **Low rates**: the worker's own loop turns once a send and once a checkpoint (`tests/worker/test_low_rate.py`). What wakes besides are gRPC's threads: after every answer its pool looks for more work some seven times a thread, at growing intervals from 15 ms on. An idle channel so wakes a dozen times a second, at 0.06 % of a core; no channel option changes it.
"""
