"""The synchronisation of the host's clock."""

from cosi import Spec

TIME_STATUS_ID = "node"
"""The id of the only one (Talos: ``time.StatusID``)."""


class TimeStatus(
    Spec,
    type="TimeStatuses.v1alpha1.talos.dev",
    default_namespace="runtime",
    columns={"Synced": "{.synced}"},
    proto={"synced": 1, "epoch": 2, "syncDisabled": 3},
):
    """State of the clock's synchronisation."""

    synced: bool = False
    """Whether the clock is in sync, or need not be (``sync_disabled``)."""
    epoch: int = 0
    """How often the clock jumped by more than 15 minutes."""
    sync_disabled: bool = False
    """Whether services on this machine do not wait for the clock."""
