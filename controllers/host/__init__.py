"""Facts of the host: one reader for each, woken by the kernel.

- ``reader``: the protocol, and the retries when a reader fails
- ``netlink``: links, addresses, default routes
- ``hostname``: the machine's name
- ``paths``: whether paths exist; ``file_watcher``: which files may have changed
- ``directory_watcher``: the base of both (uses ``notifier``, ``walk``, ``hinges``, ``mounts``)
- ``notifier``: reports changes of files: ``inotify``, or ``watchfiles_notifier`` elsewhere
- ``clock``: whether the clock is synchronised, and when it jumps (uses ``timex``, ``timerfd``)
- ``probing``: one attempt to reach an endpoint
- ``proc_events``: files of /proc that announce their changes
"""
