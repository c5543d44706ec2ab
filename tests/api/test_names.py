"""Names of children: legal, short and told apart by their owner's UID."""

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diurnal_api.names import deployment_name, labels, lease_name
from diurnal_api.plan import MAX_EPOCH

DNS_1123_LABEL = re.compile("[a-z0-9]([-a-z0-9]*[a-z0-9])?")
names = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)
uids = st.uuids().map(str)


@given(names, uids, st.integers(0, 1023), st.integers(0, MAX_EPOCH))
def test_names_of_children_are_labels_of_at_most_63_characters(
    name: str, uid: str, shard: int, epoch: int
) -> None:
    for child in (deployment_name(name, uid, shard), lease_name(name, uid, shard, epoch)):
        assert len(child) <= 63
        assert DNS_1123_LABEL.fullmatch(child)
    assert all(len(value) <= 63 for value in labels(name, uid, shard, epoch).values())


def test_a_resource_created_anew_under_its_old_name_gets_other_names() -> None:
    old, new = str(uuid.UUID(int=1 << 127)), str(uuid.UUID(int=(1 << 127) + (1 << 126)))
    assert deployment_name("app-store", old, 0) != deployment_name("app-store", new, 0)


@given(names, names, uids, st.integers(0, 1023), st.integers(0, 1023))
def test_shards_and_simulations_never_share_a_name(one: str, other: str, uid: str, a: int, b: int) -> None:
    assert (deployment_name(one, uid, a) == deployment_name(other, uid, b)) == ((one, a) == (other, b))


def test_labels_find_all_children_those_of_a_shard_and_those_of_an_epoch() -> None:
    everything = labels("app-store", "0a1b2c3d", 3, 2)
    assert labels("app-store", "0a1b2c3d").items() <= labels("app-store", "0a1b2c3d", 3).items()
    assert labels("app-store", "0a1b2c3d", 3).items() <= everything.items()
    assert everything["diurnal.dev/shard"] == "3"


@pytest.mark.parametrize("uid", ["", "ab", "----------"])
def test_a_uid_that_is_too_short_is_refused(uid: str) -> None:
    with pytest.raises(ValueError, match="UID"):
        deployment_name("app-store", uid, 0)


@pytest.mark.parametrize(("shard", "epoch"), [(-1, 0), (1024, 0), (0, -1), (0, MAX_EPOCH + 1)])
def test_shards_and_epochs_out_of_range_are_refused(shard: int, epoch: int) -> None:
    with pytest.raises(ValueError, match="must be 0 to"):
        lease_name("app-store", "0a1b2c3d", shard, epoch)
