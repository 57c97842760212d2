"""The readiness of the host's network."""

from cosi import Spec

NETWORK_STATUS_ID = "status"
"""The id of the only one (Talos: ``network.StatusID``)."""


class NetworkStatus(
    Spec,
    type="NetworkStatuses.net.talos.dev",
    default_namespace="network",
    aliases=("netstatus", "netstatuses"),
    columns={
        "Address": "{.addressReady}",
        "Connectivity": "{.connectivityReady}",
        "Hostname": "{.hostnameReady}",
        "Etc": "{.etcFilesReady}",
    },
    proto={"addressReady": 1, "connectivityReady": 2, "hostnameReady": 3, "etcFilesReady": 4},
):
    """The *current* readiness of the network; a flag may become false again (Talos: no
    hysteresis)."""

    address_ready: bool = False
    """Whether a link that is up has an address that other machines can reach."""
    connectivity_ready: bool = False
    """Whether all probes succeed; without probes, whether a default route exists."""
    hostname_ready: bool = False
    """Whether the host has a name."""
    etc_files_ready: bool = False
    """Whether ``/etc/hosts`` and ``/etc/resolv.conf`` exist."""
