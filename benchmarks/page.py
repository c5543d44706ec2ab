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
    "rss_mb_of_few_users": ("150", "100"),
    "first_event_seconds": ("1.5", ""),
    "shard_of_eight_vs_whole": ("0.5", ""),
    "year_of_counts_seconds": ("60", ""),  # a year of ticks of one minute
    "low_rate_cpu_percent": ("2", ""),
    "low_rate_rss_mb": ("100", ""),
    "low_rate_loop_wakes_a_second": ("its sends", ""),
    "low_rate_wakes_a_second": ("", ""),
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
            *_closing(found),
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


def _with_kernel(found: dict[str, Any], name: str) -> str:
    """The value with the kernel; nothing where there is none."""
    return _value(found, f"{name}_kernel") if f"{name}_kernel" in found["median"] else ""


def _asked(found: dict[str, Any]) -> list[str]:
    lines = [
        "## What was asked",
        "Ratios per client CPU-second, the full message of eleven fields. The kernel is the optional extra `fast`. `rss_mb` is with 10,000 users and then 5.4 x 10^9, `rss_mb_of_few_users` with the first alone. A year of counts is one of 525,600 ticks of a minute; the default world has 35,040 of a quarter of an hour. `first_event_seconds` is from the start of a process to its first acknowledged message, without an API server. At the low rate a worker sends four times a second; its loop is one thread, gRPC's are the others.",
        "",
        "| figure | at least | aim | measured | with the kernel |",
        "|---|---|---|---|---|",
    ]
    for name, (least, aim) in ASKED.items():
        kernel = _with_kernel(found, name)
        lines.append(f"| `{name}` | {least} | {aim} | {_value(found, name)} | {kernel} |")
    return [*lines, ""]


def _rates(found: dict[str, Any]) -> list[str]:
    lines = [
        "## Messages a client CPU-second",
        "| way | numpy | with the kernel |",
        "|---|---|---|",
    ]
    for name, label in RATES.items():
        kernel = _with_kernel(found, name)
        lines.append(f"| {label} | {_value(found, name)} | {kernel} |")
    if (rate := found["tick_per_cpu_second"]) is not None:
        lines.append(f"| generate: `tick`'s SimuInhomogeneousPoisson, a process a country | {rate:,.0f} | |")
        lines += [
            "",
            "The last row needs a Python that has `tick`: DIURNAL_BENCH_TICK, see `benchmarks/with_tick.py`.",
        ]
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


def _closing(found: dict[str, Any]) -> list[str]:
    """Why the aims are missed, with the numbers of this run."""
    median: dict[str, float] = found["median"]

    def spent(name: str) -> float:
        return 1e9 / median[name]

    def steps(suffix: str) -> float:
        return sum(median[f"step: {step}{suffix}"] for step in STEPS) + spent("sink_with_ready_batches")

    between = [spent("diurnal_end_to_end") - steps("")]
    if "diurnal_end_to_end_kernel" in median:
        between.append(spent("diurnal_end_to_end_kernel") - steps("_kernel"))
    gap = " to ".join(f"{gap:.0f}" for gap in sorted(between))
    stub, sink = spent("grpc_ceiling"), spent("sink_with_ready_batches")
    for_publish, for_textbook = spent("library_publish") / 75, spent("textbook_end_to_end") / 400
    return [
        "## What stands between this and the aims",
        f"- **End to end**: gRPC itself takes {stub:.0f} ns of every message, and no client can be faster than that. Between the sum of the steps and the whole lie {gap} ns: the interpreter around each batch of 1,000, a thread that gRPC starts and ends for a call that is alone, as here where answers come at once, threads that hand each other the interpreter's lock, and buffers that are no longer in a core's cache when they are copied. (Pages that the system clears anew for each buffer were another tenth of the whole: workers are started with `diurnal_worker.ENVIRONMENT`, so that the C library keeps them.) With the compiled kernel the next to gain is one loop that makes and encodes an event, about 200 ns. 75 times `publish()` asks for {for_publish:.0f} ns an event: that loop, and next to nothing between the steps. 400 times the textbook loop asks for {for_textbook:.0f} ns, of which the stub and that loop leave hardly anything to all the rest.",
        f"- **The sink**: {sink - stub:.0f} ns a message above the raw stub, more than half of it one copy (joining topic and batch in the stub's own loop costs as much): a batch lies in a buffer of numpy's, gRPC takes nothing but `bytes`, and the stub of the ceiling is fed with those. Only a channel that takes buffers would spare it. TLS costs more than all of that, for the bytes are encrypted in the client's process ({spent('sink_over_tls') - sink:.0f} ns a message); the ratios are without it, as those of the others.",
        "- **Generation**: one candidate in three or four is accepted, for all users of a slot share one envelope, the highest rate of the hour anywhere. The compiled kernel spends some ten nanoseconds on a candidate; numpy makes some twenty passes over it, and is near what its memory allows. Envelopes by time zone would reach the aims without a kernel, but they would change which events occur, which nothing may.",
        "- **Memory**: numpy, gRPC, pydantic and Python itself are two thirds of it before the first event, and what the sink may hold on its way is 16 MB more at full speed; it does not grow with users. Google's library for Pub/Sub, 27 MB, is not loaded ([decision 12](decisions/0012-the-channel-without-the-library.md)). To the real service TLS and google-auth come on top, 15 to 20 MB: a worker with the packages of its image and a token is 85 MB before it makes events, some 95 at the low rate. What counts here is resident memory, files that are mapped included, and of those the system maps more where they were written just before. The kernel brings LLVM, some 130 MB more, so it is loaded only where a shard may send 50,000 events a second or has no limit, and the project's images are without it.",
        "- **Low rates**: the worker's own loop sleeps once a send and once a checkpoint (`tests/worker/test_low_rate.py`; of a running worker, `strace -e pselect6 -p PID`, 2026-11-24: 43 sleeps in 8 s, for 32 sends and 8 checkpoints). Counted as context switches its thread sleeps more often, as the table has it: where gRPC's threads hold the interpreter's lock when it begins or ends a send, and for a local run's files, which are synced at a checkpoint a second; a pod has none. What wakes besides are gRPC's threads: after every answer its pool looks for more work some seven times a thread, at growing intervals from 15 ms on. Without gRPC's event engine (`GRPC_EXPERIMENTS`) all threads together would wake half as often, at the same CPU time; but the names of its experiments change from release to release. An idle channel wakes a dozen times a second, at 0.06 % of a core.",
        "",
    ]
