"""From images to moving clocks: what a first visitor's cluster shows."""

from __future__ import annotations

from clusters import AnyCluster
from installation import admit, install
from kubectl import Simulation, eventually

SMALLEST = """
apiVersion: diurnal.dev/v1alpha1
kind: TrafficSimulation
metadata: {name: smallest}
spec: {sink: {discard: {}}, worker: {serviceAccountName: diurnal-worker}}
"""


def test_the_built_images_make_traffic_under_the_restricted_profile(
    cluster: AnyCluster, images: dict[str, str]
) -> None:
    install(cluster.kubeconfig, images)
    kubectl = admit(cluster.kubeconfig)
    kubectl("apply", "--filename=-", given=SMALLEST)
    it = Simulation.of(kubectl, "smallest")
    it.await_settled(1)
    began = it.clock()
    eventually("the clock moves", lambda: it.clock() > began)
    assert "publishing" in kubectl("logs", it.pods()[0]["metadata"]["name"])
    kubectl("delete", "tsim", "smallest")
    eventually("its pods are gone", lambda: not kubectl.json("get", "pods")["items"])
