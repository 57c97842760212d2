"""Whether the host's clock can be trusted."""

from cosi import Spec

TIME_STATUS_ID = "node"
"""There is one clock, and this is its id (Talos: ``time.StatusID``)."""


class TimeStatus(
    Spec,
    type="TimeStatuses.v1alpha1.talos.dev",
    default_namespace="runtime",
    columns={"Synced": "{.synced}"},
    proto={"synced": 1, "epoch": 2, "syncDisabled": 3},
):
    """State of the clock's synchronisation."""

    synced: bool = False
    """The clock is right, or nobody is asked to set it (``sync_disabled``)."""
    epoch: int = 0
    """How often the clock has jumped by more than 15 minutes."""
    sync_disabled: bool = False
    """This machine does not wait for its clock to be set."""
