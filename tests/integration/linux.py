# SPDX-License-Identifier: Apache-2.0
"""Linux guests for the tests marked `linux`: kernels, initramfs, and one way to run them."""
import json
import os
import pathlib
import select
import signal
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("VOLT_BUILD", ROOT / "build"))
BIN = BUILD / "bin"

# Generous: under the testbed's software processor everything takes some fifty times longer.
LIMIT_S = int(os.environ.get("VOLT_TEST_LIMIT", "120"))


class Kernels:
    """Paths by name: own-vmlinux, own-bzimage, stock-bzimage, stock-vmlinux."""

    def __init__(self, folder):
        built = subprocess.run([ROOT / "kernel/build"], check=True, capture_output=True, text=True)
        own = pathlib.Path(built.stdout.strip())
        stock = max(pathlib.Path("/boot").glob("vmlinuz-*-cloud-amd64"))
        unpacked = folder / "stock-vmlinux"
        subprocess.run([BIN / "volt", "kernel", "extract", stock, "-o", unpacked], check=True)
        self.paths = {"own-vmlinux": own / "vmlinux", "own-bzimage": own / "bzImage",
                      "stock-bzimage": stock, "stock-vmlinux": unpacked}

    def __getitem__(self, name):
        return self.paths[name]


def debian(folder):
    """Debian's kernel as `volt kernel import` makes it, its modules beside it (.initrd), and Debian's root disk, for copying."""
    newest = max(pathlib.Path("/boot").glob("vmlinuz-*-cloud-amd64"))
    done = subprocess.run([BIN / "volt", "kernel", "import", "--name", "stock", newest], check=True, capture_output=True,
                          text=True, env={**os.environ, "XDG_DATA_HOME": str(folder)})
    made = subprocess.run([ROOT / "tests/host/debian-image"], check=True, capture_output=True, text=True)
    return done.stdout.strip(), made.stdout.strip()


def make_initramfs(path, files=None, binaries=None):
    """volt-init and busybox, and files as {path in the guest: text}, binaries as {path: file}."""
    extra = [f"{name}={source}" for name, source in (binaries or {}).items()]
    for name, text in (files or {}).items():
        source = path.with_name(path.name + "-" + name.replace("/", "-"))
        source.write_text(text)
        extra.append(f"{name}={source}")
    subprocess.run([ROOT / "tests/host/initramfs", path, BIN / "volt-init", *extra], check=True)
    return path


class Result:
    def __init__(self, process, out, log, metrics):
        self.status, self.out, self.log = process.returncode, out, log
        self.metrics = json.loads(metrics.read_text()) if metrics.exists() and metrics.stat().st_size else None

    def value(self, key):
        """The value of the line "key=value" that the guest printed."""
        for line in self.out.splitlines():
            if line.startswith(key + "="):
                return line.partition("=")[2]
        raise AssertionError(f"the guest printed no {key}=:\n{self.out}\n{self.log}")


class Guest:
    """A volt-vmm with a Linux guest in it (`initrd` may be None); its console in self.out as it comes."""

    def __init__(self, folder, kernel, initrd, *options, command=(), stdin=subprocess.DEVNULL,
                 prefix=(), vmm=BIN / "volt-vmm"):
        self.metrics = folder / "metrics.json"
        self.metrics.unlink(missing_ok=True)
        arguments = [*prefix, vmm, "--kernel", kernel, "--log-level", "info", "--metrics-path", self.metrics,
                     *(["--initrd", initrd] if initrd else []), *options]
        if command:
            arguments += ["--", *command]
        self.process = subprocess.Popen(list(map(str, arguments)), stdin=stdin, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.seen = b""

    def wait_for(self, text):
        """Read the console until `text` has come."""
        while text.encode() not in self.seen:
            if not select.select([self.process.stdout], [], [], LIMIT_S)[0]:
                self.process.kill()
                raise AssertionError(f"no {text!r} within {LIMIT_S} s:\n{self.seen.decode(errors='replace')}")
            part = os.read(self.process.stdout.fileno(), 65536)
            assert part, f"ended before {text!r}:\n{self.seen.decode(errors='replace')}{self.process.stderr.read().decode()}"
            self.seen += part

    def send(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def finish(self):
        try:
            out, log = self.process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, log = self.process.communicate()
            raise AssertionError(f"still running after {LIMIT_S} s:\n{(self.seen + out).decode(errors='replace')}\n{log.decode()}")
        text = (self.seen + out).decode(errors="replace").replace("\r\n", "\n")
        return Result(self.process, text, log.decode(), self.metrics)
