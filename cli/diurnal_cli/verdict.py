"""What a chi-square test says, in sentences for people who never met one."""

from diurnal_cli.amounts import count
from diurnal_cli.fit import Fit

_UNUSUAL = 0.01
_IMPLAUSIBLE = 1e-6


def verdict(fit: Fit | None) -> str:
    """One sentence: does the draw fit, and how often would chance alone deviate as much?"""
    if fit is None:
        return "Too few events are expected to judge the fit."
    if fit.impossible:
        events = "1 event" if fit.impossible == 1 else f"{count(fit.impossible)} events"
        return f"The draw does not fit: {events} occurred where none could."
    if fit.p_value < _IMPLAUSIBLE:
        return "The draw does not fit: chance alone would deviate as much in fewer than one run in a million."
    if fit.p_value < _UNUSUAL:
        runs = count(round(1 / fit.p_value))
        return (
            f"The draw is unusual: chance alone deviates as much in only 1 of {runs} runs. "
            "One such run proves nothing; another seed should not show it again."
        )
    if fit.p_value > 1 - _IMPLAUSIBLE:
        return "The draw is too even: chance alone would hardly ever stay this close to what was expected."
    return (
        f"The draw fits: chance alone deviates at least as much in {_runs_of_a_hundred(fit.p_value)} "
        "of 100 runs that follow the stated rates exactly."
    )


def _runs_of_a_hundred(p_value: float) -> str:
    runs = round(100 * p_value)
    return "nearly all" if runs >= 100 else f"about {max(runs, 1)}"
