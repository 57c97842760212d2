"""What came of a probe."""

from cosi import Spec


class ProbeStatus(
    Spec,
    type="ProbeStatuses.net.talos.dev",
    default_namespace="network",
    aliases=("probe", "probes"),
    columns={"Success": "{.success}"},
    proto={"success": 1, "lastError": 2},
):
    """The latest verdict on the probe of the same id; absent until there is one."""

    success: bool = False
    last_error: str = ""
