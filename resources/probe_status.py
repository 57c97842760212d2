"""The result of a probe."""

from cosi import Spec


class ProbeStatus(
    Spec,
    type="ProbeStatuses.net.talos.dev",
    default_namespace="network",
    aliases=("probe", "probes"),
    columns={"Success": "{.success}"},
    proto={"success": 1, "lastError": 2},
):
    """The latest result of the probe with the same id; absent before the first result."""

    success: bool = False
    last_error: str = ""
