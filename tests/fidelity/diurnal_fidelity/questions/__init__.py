"""What is asked of a stream of events, one kind of question a module; `ALL` asks everything."""

from diurnal_fidelity.questions.counts import SlotTicks, StratumHours, Ticks
from diurnal_fidelity.questions.draws import Coincidences, NeighbouringDraws
from diurnal_fidelity.questions.fields import Fields
from diurnal_fidelity.questions.gaps import StratumGaps, WorldGaps
from diurnal_fidelity.questions.identifiers import Identifiers
from diurnal_fidelity.questions.places import Places
from diurnal_fidelity.questions.question import Answer, Question
from diurnal_fidelity.questions.users import Collisions, PerUser, Spots

ALL: tuple[type[Question], ...] = (
    StratumHours,
    Ticks,
    SlotTicks,
    WorldGaps,
    StratumGaps,
    Places,
    Spots,
    PerUser,
    Collisions,
    NeighbouringDraws,
    Coincidences,
    Fields,
    Identifiers,
)

__all__ = ["ALL", "Answer", "Question"]
