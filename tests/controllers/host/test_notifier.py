"""What reports changes in directories: inotify where there is one, else watchfiles."""

import errno
import sys

import pytest

from controllers.host import notifier as module
from controllers.host.inotify import Inotify
from controllers.host.notifier import Notifier, open_notifier
from controllers.host.reader import HostReadError
from controllers.host.watchfiles_notifier import WatchfilesNotifier

NOT_IMPLEMENTED = OSError(errno.ENOSYS, "Function not implemented")


def fail_with(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Have the kernel, or its C library, refuse inotify."""

    def refuse() -> Notifier:
        raise error

    monkeypatch.setattr(module, "Inotify", refuse)


def test_here_it_is_inotify() -> None:
    with open_notifier() as notifier:
        assert isinstance(notifier, Inotify)
        assert notifier.exact


@pytest.mark.parametrize(
    ("error", "exact"),
    [(NOT_IMPLEMENTED, False), (AttributeError("undefined symbol: inotify_init1"), True)],
    ids=["a kernel without notifications", "another kernel's notifications"],
)
def test_without_inotify_it_is_watchfiles(
    monkeypatch: pytest.MonkeyPatch, error: Exception, exact: bool
) -> None:
    fail_with(monkeypatch, error)
    with open_notifier() as notifier:
        assert isinstance(notifier, WatchfilesNotifier)
        assert notifier.exact is exact


def test_without_both_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, NOT_IMPLEMENTED)
    monkeypatch.setitem(sys.modules, "controllers.host.watchfiles_notifier", None)
    with pytest.raises(HostReadError, match=r"no inotify; `pip install 'cosi\[watch\]'`"):
        open_notifier()


def test_an_inotify_that_has_no_instance_left_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, OSError(errno.EMFILE, "Too many open files"))
    with pytest.raises(OSError, match="Too many open files"):
        open_notifier()
