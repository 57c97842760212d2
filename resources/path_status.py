"""Whether a path that some service waits for is there."""

from cosi import Spec


class PathStatus(
    Spec,
    type="PathStatuses.runtime.talos.dev",
    columns={"Present": "{.present}", "Error": "{.error}"},
    proto={"present": 1, "error": 2},
):
    """Presence of one path; the id is the path as the service wrote it.

    Three answers, as ``stat`` gives them: it is there, it is not there (yet), or it cannot be
    looked at. The last one is in ``error``, in the words of Talos's condition
    (``stat /a/b: not a directory``), and goes away when the path can be looked at again
    (differences: Talos 4: in Talos it ends the wait for good).
    """

    present: bool = False
    error: str = ""
