"""A machine with its own systemd as process 1, in which the relays are installed.

Used by tests/deploy. It is a container: this machine's root below an overlay that lives in memory,
no network but loopback, gone with the process that made it, however that ends. `run` runs a command
in it; its Unix sockets are reached from outside through `path`.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.harness import Client, eventually

ROOT = Path(__file__).parent.parent.parent
DEPLOY = ROOT / "deploy"
PREFIX = "/opt/alphapulse-relays"
CHECKOUT = "/opt/checkout"
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
PROGRAMS = ("systemd-nspawn", "unshare", "nsenter", "setpriv", "systemd-analyze")
BOOT = 60.0
COMMAND = 180.0

TARGET = """[Unit]
Description=What the tests of the units need
Requires=basic.target dbus.service
After=basic.target dbus.service
AllowIsolate=yes
"""
MASKED = (
    "systemd-udevd.service", "systemd-udev-trigger.service", "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket", "systemd-timesyncd.service", "systemd-networkd.socket",
    "systemd-journal-flush.service", "systemd-update-utmp.service", "systemd-hwdb-update.service",
    "systemd-machine-id-commit.service", "apt-daily.timer", "apt-daily-upgrade.timer",
    "systemd-binfmt.service", "systemd-random-seed.service", "e2scrub_all.timer", "fstrim.timer",
    "docker.socket", "networking.service", "apparmor.service", "keyboard-setup.service",
    "console-setup.service", "ldconfig.service", "systemd-journal-catalog-update.service",
    "systemd-update-done.service", "systemd-pcrphase-sysinit.service",
)  # fmt: skip
JOURNAL = "[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\n"
PROGRAM = f"""#!{PREFIX}/bin/python3
import sys
from relays.cli import main
sys.exit(main())
"""
# In memory and in a mount namespace of its own: nothing is left to unmount. In control groups of
# its own: two machines in one would take each other's processes for theirs.
GROUPS = [Path("/sys/fs/cgroup", name) for name in ("", "systemd", "unified")]
START = """
set -e
for group in $ROOTS; do
    test -w "$group/cgroup.procs" && mkdir "$group/$NAME" && echo $$ >"$group/$NAME/cgroup.procs"
done 2>/dev/null || true
mount -t tmpfs -o mode=755 tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
cp -a "$2/." "$1/upper/"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
shift 2
exec systemd-nspawn "$@"
"""


def why_not() -> str:
    """Why no such machine can be made here; empty where one can."""
    if os.geteuid() != 0:
        return "systemd-nspawn needs root"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (scripts/test installs them)"
    if not Path("/usr/bin", VERSION).exists():
        return f"services do not see this user's Python, and there is no /usr/bin/{VERSION}"
    return ""


class Machine:
    """One booted machine; `end` switches it off. `seen` maps directories of this machine to where
    that one has them, read-only."""

    def __init__(self, folder: Path, seen: dict[Path, str] | None = None) -> None:
        self.folder, self.files = folder, folder / "files"
        self.seen = {ROOT: CHECKOUT, **(seen or {})}
        self.leader = 0
        self._group = f"relays-test-{os.getpid()}-{folder.name}"
        self._console = folder / "console.txt"
        self._nspawn: subprocess.Popen[bytes] | None = None

    # --- before it boots ---

    def prepare(self) -> None:
        """What it has beyond this machine's own root: its own target, and little else."""
        system = self.files / "etc/systemd/system"
        system.mkdir(parents=True)
        for name in MASKED:
            (system / name).symlink_to("/dev/null")
        self.add("etc/systemd/system/relays-test.target", TARGET)
        self.add("etc/systemd/journald.conf.d/test.conf", JOURNAL)

    def install(self) -> None:
        """The units, and this checkout as if it were installed."""
        shutil.copytree(DEPLOY / "systemd", self.files / "usr/lib/systemd/system", symlinks=True)
        for kind in ("sysusers.d", "tmpfiles.d", "sysctl.d"):
            shutil.move(self.files / "usr/lib/systemd/system" / kind, self.files / "usr/lib" / kind)
        self.add("etc/alphapulse/relays.toml", (DEPLOY / "relays.toml").read_text())
        self._add_program()

    def _add_program(self) -> None:
        packages = f"lib/{VERSION}/site-packages"
        self.add(f"{PREFIX}/pyvenv.cfg", "home = /usr/bin\ninclude-system-site-packages = false\n")
        paths = f"{CHECKOUT}\n{CHECKOUT}/.venv/{packages}\n"
        self.add(f"{PREFIX}/{packages}/checkout.pth", paths)
        text = (
            f"#!{PREFIX}/bin/python3\nimport sys\nfrom relays.cli import main\nsys.exit(main())\n"
        )
        self.add(f"{PREFIX}/bin/relays", text).chmod(0o755)
        (self.files / PREFIX.lstrip("/") / "bin/python3").symlink_to(f"/usr/bin/{VERSION}")

    def add(self, path: str, text: str) -> Path:
        """A file it finds when it boots."""
        file = self.files / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    # --- boot and end ---

    def boot(self) -> None:
        """Returns when its own target is reached."""
        scratch = self.folder / "scratch"
        scratch.mkdir()
        command = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "sh", "-c", START, "sh"]
        command += [str(scratch), str(self.files), "--register=no", "--keep-unit", "--quiet"]
        command += ["--private-network", "--console=pipe"]
        command += [f"--bind-ro={here}:{there}" for here, there in self.seen.items()]
        command += ["--boot", f"--directory={scratch}/root", "systemd.unit=relays-test.target"]
        environ = os.environ | {"NAME": self._group, "ROOTS": " ".join(map(str, GROUPS))}
        with self._console.open("wb") as console:
            self._nspawn = subprocess.Popen(
                command, env=environ, stdin=subprocess.DEVNULL, stdout=console,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.leader = eventually(self._find_leader, "the container's process 1 is there", BOOT)
        eventually(self._is_up, "the container has booted", BOOT)

    def _find_leader(self) -> int:
        assert self._nspawn is not None
        if self._nspawn.poll() is not None:
            raise AssertionError(f"systemd-nspawn ended: {self._console.read_text()[-3000:]}")
        for child in _children(self._nspawn.pid):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{child}/ns/pid") != os.readlink("/proc/self/ns/pid"):
                    return child
        return 0

    def _is_up(self) -> bool:
        done = self._run("systemctl is-active --quiet relays-test.target")
        return done.returncode == 0

    def end(self) -> None:
        """Halt it; what it had is gone."""
        if self._nspawn is None:
            return
        if self._nspawn.poll() is None and self.leader:
            os.kill(self.leader, signal.SIGRTMIN + 13)
        try:
            self._nspawn.wait(5)
        except subprocess.TimeoutExpired:
            self._nspawn.kill()
            self._nspawn.wait()
        for group in GROUPS:
            for found, _, _ in os.walk(group / self._group, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(found)

    # --- while it runs ---

    def _run(self, command: str, user: str = "root") -> subprocess.CompletedProcess[str]:
        words = shlex.split(command)
        if user != "root":
            words = ["runuser", "-u", user, "--", *words]
        enter = ["nsenter", "--all", f"--target={self.leader}", f"--wdns={CHECKOUT}"]
        environ = {"PATH": f"{PREFIX}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
        return subprocess.run(
            [*enter, *words], env=environ, capture_output=True, text=True, timeout=COMMAND,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def run(self, command: str, user: str = "root") -> str:
        """What a command prints; AssertionError when it fails."""
        done = self._run(command, user)
        assert done.returncode == 0, (command, done.returncode, done.stdout, done.stderr)
        return done.stdout.strip()

    def fails(self, command: str, user: str = "root") -> str:
        """What a command that fails says on stderr."""
        done = self._run(command, user)
        assert done.returncode != 0, (command, done.stdout)
        return done.stderr.strip()

    def path(self, path: str) -> str:
        """A path in it, as seen from outside."""
        return f"/proc/{self.leader}/root{path}"

    def write(self, path: str, text: str) -> None:
        """Write a file in it."""
        file = Path(self.path(path))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    # --- the relays in it ---

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run(f"systemctl show --value -p {name} {unit}")

    def becomes(self, unit: str, name: str, wanted: str) -> None:
        """Wait until a property of a unit has this value."""
        found = eventually(
            lambda: (self.show(unit, name) == wanted) or None,
            f"{unit} has {name}={wanted}: {self._run(f'systemctl status {unit}').stdout}",
        )
        assert found

    def client(self, domain: str) -> Client:
        """A raw connection to a relay in it."""
        return Client(self.path(f"/run/alphapulse/{domain}.sock"))

    def log(self, words: str = "") -> str:
        """What the relays have logged since it booted."""
        return self.run(f"journalctl --no-pager -o cat {words}")


def _children(pid: int) -> list[int]:
    """The processes a process has made, and theirs."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            text = path.read_text()
            if int(text.rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
    return found + [each for child in found for each in _children(child)]
