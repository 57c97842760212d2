"""Section 9.1: definitions of our own that use what the published ones use; all load in silence."""

import pytest

from controllers.definitions.service import read_service
from resources.extension_service import ExtensionServiceSpec, NetworkCheck, Restart

DEVICES = """\
# A daemon that sees the host's devices and changes its sysfs.
name: device-daemon
container:
  entrypoint: /usr/local/sbin/device-daemon
  environment:
    - PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH
  args:
    - --foreground
    - --verbosity=2
  security:
    writeableRootfs: false
    writeableSysfs: true
  mounts:
    - source: /dev
      destination: /dev
      type: bind
      options:
        - rshared
        - rbind
        - rw
    - source: /run/device-daemon
      destination: /run/device-daemon
      type: bind
      options:
        - bind
        - rw
depends:
  - service: udevd
  - service: cri
  - network:
      - addresses
      - connectivity
      - etcfiles
restart: always
"""
STORAGE = """\
name: storage-import
container:
  entrypoint: /usr/local/bin/import
  security:
    maskedPaths: []
    readonlyPaths: []
    rootfsPropagation: shared
    writeableSysfs: true
  mounts:
    - {source: /dev, destination: /dev, type: bind, options: [rshared, rbind, rw]}
    - {source: /lib, destination: /lib, type: bind, options: [bind, ro]}
    - {source: /var, destination: /var, type: bind, options: [rshared, rbind, rw]}
depends:
  - service: cri
  - path: /dev/zfs
restart: untilSuccess
"""
GUEST = """\
name: guest-agent
container:
  entrypoint: ./guest-agent
  args: []
  mounts:
    - source: /sbin/init
      destination: /sbin/poweroff
      type: bind
      options: [bind, ro]
    - source: /system/run/machined/machine.sock
      destination: /system/run/machined/machine.sock
      type: bind
      options: [bind, rw]
depends:
  - path: /dev/virtio-ports/org.qemu.guest_agent.0
  - path: /system/run/machined/machine.sock
restart: always
logToConsole: true
"""
VPN = """\
name: vpn
container:
  entrypoint: ./vpnd
  environment: [PATH=/bin, STATE=/var/lib/vpn]
  mounts:
    - source: /dev/net/tun
      destination: /dev/net/tun
      type: bind
      options: [rbind, rw]
    - source: /etc/ssl/certs
      destination: /etc/ssl/certs
      type: bind
      options: [bind, ro]
    - source: /var/lib/vpn
      destination: /var/lib/vpn
      type: bind
      options: [rshared, rbind]
depends:
  - service: cri
  - network: [addresses, connectivity, hostname, etcfiles]
  - configuration: true
restart: always
"""
NO_ROOTFS = """\
# Everything comes from the host, by mounts.
name: initiator
container:
  entrypoint: /usr/local/sbin/initiatord
  mounts:
    - source: /usr/local
      destination: /usr/local
      type: bind
      options: [rshared, rbind, ro]
    - source: /sys
      destination: /sys
      type: bind
      options: [rshared, rbind, rw]
depends:
  - service: ext-device-daemon
restart: always
"""
NO_DEPENDS = "name: xen\ncontainer:\n  entrypoint: /sbin/xen\nrestart: always\n"
ALL = [DEVICES, STORAGE, GUEST, VPN, NO_ROOTFS, NO_DEPENDS]


def load(text: str) -> ExtensionServiceSpec:
    reading = read_service(text.encode())
    # A published one ends its PATH in a literal $PATH, and gets what it asks for.
    assert [p.text for p in reading.problems if "variables are not expanded" not in p.text] == []
    assert reading.spec is not None
    return reading.spec


@pytest.mark.parametrize("text", ALL, ids=lambda text: text.partition("name: ")[2].split()[0])
def test_it_loads_without_a_word(text: str) -> None:
    assert load(text)


def test_devices() -> None:
    spec = load(DEVICES)
    assert spec.container.environment[0].endswith(":$PATH")
    assert spec.container.security.writeable_sysfs
    assert spec.container.mounts[0].options == ("rshared", "rbind", "rw")
    assert [d.service for d in spec.depends] == ["udevd", "cri", ""]


def test_storage() -> None:
    spec = load(STORAGE)
    assert (spec.container.security.masked_paths, spec.container.security.readonly_paths) == (
        (),
        (),
    )
    assert spec.container.security.rootfs_propagation == "shared"
    assert spec.restart is Restart.UNTIL_SUCCESS


def test_vpn() -> None:
    spec = load(VPN)
    assert spec.depends[1].network == tuple(NetworkCheck)
    assert spec.depends[2].configuration


def test_guest() -> None:
    spec = load(GUEST)
    assert spec.log_to_console
    assert spec.container.args == ()
    assert spec.container.security.masked_paths is None
