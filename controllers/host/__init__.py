"""Facts of the host: one reader for each, woken by the kernel.

- `reader`: the protocol, and what happens when a reader fails
- `netlink`: links, addresses, default routes
- `hostname`: the machine's name
- `paths`: whether paths exist; `file_watcher`: which files may have changed
- `directory_watcher`: what both stand on (on `notifier`, `walk`, `hinges`, `mounts`)
- `clock`: whether the time is right, and when it jumps (on `timex`, `timerfd`)
- `probing`: one attempt to reach something
- `proc_events`: files of /proc that tell when they change
"""
