"""Plays the part of systemd where none runs: `systemctl` for the units that are installed.

It understands of a unit what ours say: sockets that are passed on, notification, users, restarts.
"""

import configparser
import grp
import json
import os
import pwd
import shlex
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from pathlib import Path

UNITS = Path("/etc/systemd/system")
# Seconds after which systemd kills what does not stop, by the unit.
STOP_SECONDS = 15
CLIENT = f"""#!{sys.executable}
import json, socket, sys
with socket.socket(socket.AF_UNIX) as wire:
    wire.connect("{{path}}")
    wire.sendall(json.dumps(sys.argv[1:]).encode() + b"\\n")
    sys.exit(int(wire.makefile().readline()))
"""


class Unit:
    """A unit's file."""

    def __init__(self, name: str) -> None:
        self.name = name
        parser = configparser.RawConfigParser(strict=False)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        assert parser.read(UNITS / name), f"{name} is not installed"
        section = {"socket": "Socket", "timer": "Timer"}.get(name.rpartition(".")[2], "Service")
        self.options = dict(parser[section])
        self.requires = parser["Unit"].get("Requires")

    def __getitem__(self, option: str) -> str:
        """Return an option's value, which may be empty."""
        return self.options.get(option, "")


class Service:
    """A service's process, started again when it ends by itself."""

    def __init__(self, name: str, logs: Path) -> None:
        self.unit = Unit(name)
        self.log = logs / f"{name}.log"
        self.notify = logs / f"{name}.notify"
        self.process: subprocess.Popen[bytes] | None = None
        self.is_wanted = False

    def start(self, listener: socket.socket | None) -> bool:
        """Start it, and return whether it said that it is ready (or has ended well)."""
        self.is_wanted = self.unit["Restart"] == "always"
        with self.listen_for_readiness() as notify:
            process = self.process = self.spawn(listener)
            if self.unit["Type"] == "oneshot":
                return process.wait() == 0
            threading.Thread(target=self.watch, args=(process, listener), daemon=True).start()
            return self.is_ready(process, notify)

    def spawn(self, listener: socket.socket | None) -> subprocess.Popen[bytes]:
        """Start the process as the unit says, and in nothing of our own environment."""
        user = pwd.getpwnam(self.unit["User"])
        if directory := self.unit["RuntimeDirectory"]:
            Path("/run", directory).mkdir(mode=0o700, exist_ok=True)
            os.chown(Path("/run", directory), user.pw_uid, user.pw_gid)
        variables = dict(pair.split("=", 1) for pair in shlex.split(self.unit["Environment"]))
        command = f"exec {self.unit['ExecStart']}"
        if listener:
            command = f"LISTEN_FDS=1 LISTEN_PID=$$ {command} 3<&{listener.fileno()}"
        with self.log.open("ab") as log:
            return subprocess.Popen(
                # The shell's process becomes the service's, so it has the number that is passed.
                ["setpriv", "--no-new-privs", "bash", "-c", command],
                cwd=self.unit["WorkingDirectory"] or "/",
                env={"PATH": "/usr/bin:/bin", "NOTIFY_SOCKET": str(self.notify)} | variables,
                user=user.pw_uid,
                group=user.pw_gid,
                extra_groups=[],
                pass_fds=[listener.fileno()] if listener else [],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def listen_for_readiness(self) -> socket.socket:
        """Return the socket that the service tells of its state."""
        self.notify.unlink(missing_ok=True)
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(str(self.notify))
        self.notify.chmod(0o666)
        notify.settimeout(0.1)
        return notify

    def is_ready(self, process: subprocess.Popen[bytes], notify: socket.socket) -> bool:
        """Wait until it says so, or ends."""
        while process.poll() is None:
            try:
                if b"READY=1" in notify.recv(4096):
                    return True
            except TimeoutError:
                continue
        return False

    def watch(self, process: subprocess.Popen[bytes], listener: socket.socket | None) -> None:
        """Start it again when it ends, as long as nobody has stopped it."""
        process.wait()
        time.sleep(float(self.unit["RestartSec"]))
        if self.is_wanted and self.process is process:
            self.start(listener)

    def stop(self) -> None:
        """End it as the unit says."""
        self.is_wanted = False
        if self.process is None:
            return
        name = self.unit["KillSignal"] or "SIGTERM"
        if self.process.poll() is None:
            self.process.send_signal(signal.Signals[name])
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise AssertionError(f"{self.unit.name} did not stop") from None


class Systemd:
    """Runs units. `folder` holds `bin/systemctl`, which belongs on PATH, and the logs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.services: dict[str, Service] = {}
        self.sockets: dict[str, socket.socket] = {}
        path = folder / "systemctl.sock"
        client = folder / "bin" / "systemctl"
        client.parent.mkdir(parents=True)
        client.write_text(CLIENT.format(path=path))
        client.chmod(0o755)

        manager = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                is_done = manager.run(*json.loads(self.rfile.readline()))
                self.wfile.write(b"0\n" if is_done else b"1\n")

        server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def run(self, verb: str, *arguments: str) -> bool:
        """Do what `systemctl` would, and return whether it was done."""
        units = [argument for argument in arguments if not argument.startswith("--")]
        match verb:
            case "daemon-reload":
                return True
            case "enable" if "--now" not in arguments:
                return all(Unit(name) for name in units)
            case "enable" | "start":
                return all(self.start(name) for name in units)
            case "stop":
                return all(self.stop(name) for name in units)
            case "restart":
                return all(self.stop(name) and self.start(name) for name in units)
            case "reload":
                assert units == ["nginx.service"]
                return subprocess.run(["nginx", "-s", "reload"], check=False).returncode == 0
        raise AssertionError(f"systemctl {verb} is not played")

    def start(self, name: str) -> bool:
        """Start a unit that does not run."""
        if name == "nginx.service":
            return self.start_nginx()
        if name.endswith(".timer"):
            return bool(Unit(name)["OnCalendar"])
        if name.endswith(".socket"):
            if name not in self.sockets:
                self.sockets[name] = self.listen(Unit(name))
            return True
        service = self.services.get(name)
        if service and service.process and service.process.poll() is None:
            return True
        service = self.services[name] = Service(name, self.folder)
        required = service.unit.requires
        return service.start(self.sockets[required] if required else None)

    def stop(self, name: str) -> bool:
        """Stop a unit, if it runs."""
        if listener := self.sockets.pop(name, None):
            listener.close()
        if service := self.services.pop(name, None):
            service.stop()
        return True

    def start_nginx(self) -> bool:
        """Start the distribution's nginx, whose file is there, empty, when it has but a test."""
        pid = Path("/run/nginx.pid")
        if pid.exists() and pid.read_text():
            return True
        if subprocess.run(["nginx"], check=False).returncode:
            return False
        while not pid.read_text():
            time.sleep(0.01)
        return True

    def listen(self, unit: Unit) -> socket.socket:
        """Open a socket unit's socket."""
        path = Path(unit["ListenStream"])
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        path.chmod(int(unit["SocketMode"], 8))
        os.chown(path, pwd.getpwnam(unit["SocketUser"]).pw_uid, grp.getgrnam("root").gr_gid)
        listener.listen(4096)
        return listener
