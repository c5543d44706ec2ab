"""The compiled kernel, fetched beside the work: a shard begins without it and goes on with it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from diurnal_worker import kernel

if TYPE_CHECKING:
    from diurnal_api.plan import Plan


def hasten(plan: Plan) -> threading.Thread | None:
    """Begins to load the kernel where the pace of ``plan`` lets a shard profit from it."""
    pace = plan.pace
    limit = None if pace.messages_per_second is None else float(pace.messages_per_second)
    freely = pace.max_speed is None
    if kernel.loaded() is not None or not kernel.pays(limit, int(plan.shards), freely=freely):
        return None
    loading = threading.Thread(target=kernel.load, name="diurnal-kernel", daemon=True)
    loading.start()
    return loading
