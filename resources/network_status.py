"""How far the host's network is up."""

from cosi import Spec

NETWORK_STATUS_ID = "status"
"""There is one network, and this is its id (Talos: ``network.StatusID``)."""


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
    """What of the network is ready *now*; a flag may go back to false (Talos: no hysteresis)."""

    address_ready: bool = False
    """An address that others can reach is on a link that is up."""
    connectivity_ready: bool = False
    """All probes succeed, or, where there are no probes, there is a default route."""
    hostname_ready: bool = False
    """The host has a name."""
    etc_files_ready: bool = False
    """``/etc/hosts`` and ``/etc/resolv.conf`` exist."""
