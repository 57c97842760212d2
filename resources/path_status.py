"""The presence of a path for which a service waits."""

from cosi import Spec


class PathStatus(
    Spec,
    type="PathStatuses.runtime.talos.dev",
    columns={"Present": "{.present}", "Error": "{.error}"},
    proto={"present": 1, "error": 2},
):
    """Presence of one path; the id is the path as the service wrote it.

    As with ``stat`` there are three outcomes: the path exists, it does not exist (yet), or it
    cannot be examined. In the last case ``error`` has the text of Talos's condition
    (``stat /a/b: not a directory``) until the path can be examined again (differences: Talos 4: in
    Talos the error ends the wait permanently).
    """

    present: bool = False
    error: str = ""
