# SPDX-License-Identifier: Apache-2.0
"""volt net: by the real systemd-networkd and without it, and that afterwards everything is as before."""
import os
import signal
import stat
import subprocess

import pytest

import volt
from hostnet import UNITS, VOLT, host, networkd, program  # noqa: F401


@pytest.fixture(params=["networkd", "netlink"])
def either(host, request):  # noqa: F811
    if request.param == "networkd":
        host.start_networkd()
    return host


def actions(lines):
    """What was done, or would be: without what is in files, random addresses and the summary."""
    return [line for line in lines if not line.startswith((" ", "volt0 has", "systemd-networkd does not", "there is no"))]


# --- what it is for ---

def test_guests_of_networkd(networkd):  # noqa: F811
    """Two guests have addresses by DHCP and router advertisements, reach each other, the host and, masqueraded,
    a network that knows nothing of them; then all is gone."""
    networkd.uplink()
    before = networkd.state()
    out = networkd.done("setup", "--ipv6", "fd00:86::1/64", "--dns", "9.9.9.9,1.1.1.1", "--tap", "vt0", "--owner", "root")
    assert out[-1] == "volt0 has 10.86.0.1/24 and fd00:86::1/64; by systemd-networkd, for good"
    for name in networkd.files():
        assert stat.S_IMODE(int(networkd.run("stat", "-c", "%f", f"{UNITS}/{name}"), 16)) == 0o644
    networkd.guest("a")
    networkd.guest("b")
    (a, dns), (b, _) = networkd.lease("a"), networkd.lease("b")
    assert {a.rsplit(".", 1)[0], b.rsplit(".", 1)[0]} == {"10.86.0"} and a != b and dns == "9.9.9.9 1.1.1.1"
    assert all(int(address.rsplit(".", 1)[1]) >= 128 for address in (a, b))
    volt.wait_until(lambda: networkd.reaches("a", "2001:db8::2"), "a router advertisement")
    for address in (b, "10.86.0.1", "203.0.113.2", "fd00:86::1"):
        assert networkd.reaches("a", address), address
    assert "fd00:86:" in networkd.inside("a", "ip", "-6", "addr", "show", "dev", "eth0")
    assert not networkd.reaches("world", a)
    (status,) = networkd.status()
    assert {lease["address"] for lease in status["leases"]} == {a, b} and status["problems"] == []
    assert {port["name"] for port in status["ports"]} == {"vt0", "p-a", "p-b"}
    networkd.refused(1, "teardown", expect="uses volt0; end the machine that has it first, or give --force")
    networkd.forget("a", "b")
    networkd.done("teardown")
    assert networkd.becomes(before)


def test_guests_without_networkd(host):  # noqa: F811
    host.uplink()
    before = host.state()
    out = host.done("setup", "--ipv6", "fd00:86::1/64", "--uplink", "up0")
    assert out[-1] == ("systemd-networkd does not run, so there is no DHCP, nor router advertisements: give guests "
                       "addresses of 10.86.0.0/24")
    host.guest("a")
    for family, address, gateway in [("-4", "10.86.0.9/24", "10.86.0.1"), ("-6", "fd00:86::9/64", "fd00:86::1")]:
        host.run("ip", "-n", "a", family, "addr", "add", address, "dev", "eth0", *(["nodad"] if family == "-6" else []))
        host.run("ip", "-n", "a", family, "route", "add", "default", "via", gateway)
    for address in ("10.86.0.1", "203.0.113.2", "fd00:86::1", "2001:db8::2"):
        assert host.reaches("a", address), address
    assert not host.reaches("world", "10.86.0.9")
    (status,) = host.status()
    assert (status["means"], status["dhcp"], status["masquerade"], status["problems"]) == ("netlink", False, True, [])
    host.forget("a")
    host.done("teardown")
    assert host.becomes(before)


def test_again(either):
    """Given again it does nothing, but for what is new or has been lost; what cannot be changed is refused."""
    before = either.state()
    either.done("setup", "--address", "10.1.0.1/24", "--tap", "vt0")
    first = either.state()
    assert either.done("setup") == either.done("setup", "--address", "10.1.0.1/24", "--tap", "vt0") == \
        ["volt0 is set up already"]
    assert either.becomes(first)
    either.refused(1, "setup", "--address", "10.2.0.1/24", expect="first run: volt net teardown --bridge volt0")
    either.refused(1, "setup", "--tap", "vt0", "--owner", "1", expect="--owner: vt0 is root's")
    either.refused(1, "setup", "--tap", "vt0", "--multi-queue", expect="--multi-queue: vt0 has one queue")
    either.done("setup", "--tap", "vt1", "--multi-queue")
    assert {port["name"]: port["carrier"] for (status,) in [either.status()] for port in status["ports"]} == \
        {"vt0": False, "vt1": False}
    either.run("ip", "link", "del", "volt0")
    (status,) = either.status()
    assert not status["up"] and status["problems"] == ["volt0 is gone; run: volt net setup --bridge volt0"]
    assert either.volt("status").returncode == 1
    either.done("setup", "--tap", "vt2")
    assert either.volt("status").returncode == 0 and len(either.status()[0]["ports"]) == 3
    either.done("teardown")
    assert either.becomes(before)


def test_dry_run_says_what_is_done(either):
    before = either.state()
    told = either.done("setup", "--dry-run", "--tap", "vt0")
    assert either.becomes(before)
    done = either.done("setup", "--tap", "vt0")
    # systemd-networkd turns forwarding on itself.
    assert [line for line in actions(told) if "ip_forward" not in line] == \
        [line for line in actions(done) if "ip_forward" not in line]
    between = either.state()
    told = either.done("teardown", "--dry-run")
    assert either.becomes(between)
    assert [line.removesuffix(", if nobody uses them") for line in told] == either.done("teardown")
    assert either.becomes(before)


def test_reboot(networkd):  # noqa: F811
    """systemd-networkd's set-up outlives one, and teardown still knows what was before."""
    before = networkd.state()
    networkd.done("setup", "--tap", "vt0")
    networkd.stop("networkd")
    for name in ("vt0", "volt0"):
        networkd.run("ip", "link", "del", name)
    networkd.run("nft", "flush", "ruleset")
    networkd.run("sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward")
    networkd.start_networkd()
    assert networkd.done("setup")[-1].startswith("volt0 ")  # once it is there
    assert networkd.status()[0]["problems"] == []
    networkd.done("teardown")
    assert networkd.becomes(before)


def test_networkd_is_gone_since(networkd):  # noqa: F811
    before = networkd.state()
    networkd.done("setup", "--tap", "vt0")
    networkd.stop("networkd")
    assert "systemd-networkd does not run" in networkd.status()[0]["problems"]
    networkd.done("teardown")
    assert networkd.files() == [] and networkd.interfaces() == {"lo"}
    assert networkd.becomes(before)


def test_settings_that_forwarding_resets(host):  # noqa: F811
    host.uplink()
    for setting, value in [("conf/all/accept_redirects", 0), ("conf/up0/forwarding", 1), ("conf/default/forwarding", 1)]:
        host.run("sh", "-c", f"echo {value} > /proc/sys/net/ipv4/{setting}")
    before = host.state()
    host.done("setup")
    host.done("teardown")
    assert host.becomes(before)


@pytest.mark.parametrize("order", [("volt0", "lab"), ("lab", "volt0")])
def test_two_bridges(either, order):
    """The kernel forwards as long as one of them needs it."""
    before = either.state()
    either.done("setup")
    out = either.done("setup", "--bridge", "lab")
    assert any(line.startswith("lab has 10.86.1.1/24") for line in out)
    assert [status["bridge"] for status in either.status()] == ["lab", "volt0"]
    either.done("teardown", "--bridge", order[0])
    assert either.read("/proc/sys/net/ipv4/ip_forward") == "1\n"
    (status,) = either.status()
    assert (status["bridge"], status["problems"]) == (order[1], [])
    either.done("teardown", "--bridge", order[1])
    assert either.becomes(before)


def test_former_forwarding_stays(either):
    either.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    before = either.state()
    either.done("setup", "--no-dhcp")
    either.done("teardown")
    assert either.becomes(before)


def test_without_masquerading(either):
    before = either.state()
    either.done("setup", "--no-masquerade")
    assert (either.run("nft", "list", "ruleset"), either.read("/proc/sys/net/ipv4/ip_forward")) == ("", "0\n")
    either.done("teardown")
    assert either.becomes(before)


def test_a_firewall_is_told(either):
    """One that would drop what guests send."""
    either.run("nft", "add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }")
    before = either.state()
    assert 'the host\'s firewall drops what no rule of its chain "ip filter FORWARD" allows: allow volt0 there' in \
        either.done("setup")
    either.done("teardown")
    assert either.becomes(before)


# --- what fails half-way leaves nothing ---

def test_another_file_comes_first(networkd):  # noqa: F811
    networkd.write(f"{UNITS}/05-all.network", "[Match]\nName=v*\n[Network]\nDHCP=no\n")
    before = networkd.state()
    out = networkd.refused(2, "setup", expect=f"systemd-networkd takes {UNITS}/05-all.network for volt0, not {UNITS}/10-")
    assert "undo: remove the interface volt0" in out
    assert networkd.becomes(before)


def test_reload_fails(networkd, tmp_path):  # noqa: F811
    before = networkd.state()
    failing = program(tmp_path, "networkctl", "echo 'Access denied' >&2; exit 1")
    result = networkd.volt("setup", before=failing)
    assert result.returncode == 1
    assert "volt net setup: systemd-networkd did not read its files again: networkctl failed with status 1: Access denied" \
        in result.stderr.splitlines()
    assert networkd.becomes(before)


def test_nft_fails(host, tmp_path):  # noqa: F811
    before = host.state()
    failing = program(tmp_path, "nft", "echo 'Error: Operation not supported' >&2; exit 1")
    host.refused(1, "setup", "--tap", "vt0", before=failing, expect="nft failed with status 1: Error: Operation not supported")
    assert host.becomes(before)


def test_tap_fails(host):  # noqa: F811
    host.run("mount", "--bind", "/dev/null", "/dev/net/tun")
    before = host.state()
    host.refused(1, "setup", "--tap", "vt0", expect="create the TAP vt0")
    assert host.becomes(before)
    host.done("setup", "--no-masquerade")
    between = host.state()
    host.refused(1, "setup", "--tap", "vt0", expect="create the TAP vt0")
    assert host.becomes(between)  # what was there before stays


def test_interrupted(networkd, tmp_path):  # noqa: F811
    """While it waits for systemd-networkd."""
    before, reached = networkd.state(), tmp_path / "reached"
    deaf = program(tmp_path, "networkctl", f"touch {reached}")
    process = subprocess.Popen([*networkd.prefix, *deaf, VOLT, "net", "setup"], stdout=subprocess.PIPE, text=True)
    volt.wait_until(reached.exists, "networkctl reload")
    process.terminate()
    out, _ = process.communicate(timeout=volt.LIMIT_S)
    assert process.returncode == -signal.SIGTERM and f"undo: remove {UNITS}/10-volt-volt0.network" in out.splitlines()
    assert networkd.becomes(before)


# Ctrl-C when a program that changes something runs: to all of the terminal's process group.
PRESS = "kill -s INT -- -$PPID"


def interrupt(at, before, *words):
    """The end of it, with what it printed."""
    process = subprocess.Popen([*at.prefix, *before, VOLT, "net", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True, start_new_session=True)
    out, error = process.communicate(timeout=volt.LIMIT_S)
    assert process.returncode == -signal.SIGINT, (out, error)
    return out.splitlines(), error.splitlines()


NFT = '[ "$*" != "-f -" ] || %s; exec /usr/sbin/nft "$@"'
NETWORKCTL = f'{PRESS}; exec /usr/bin/networkctl "$@"'


@pytest.mark.parametrize("name, text", [("nft", NFT % PRESS), ("networkctl", NETWORKCTL)], ids=["nft", "networkctl"])
def test_interrupted_again_and_again(host, tmp_path, name, text):  # noqa: F811
    """What it runs is not, while it is set up and while that is undone."""
    if name == "networkctl":
        host.start_networkd()
    before = host.state()
    out, error = interrupt(host, program(tmp_path, name, text), "setup", "--tap", "vt0")
    assert error == [] and "undo: remove the interface volt0" in out
    assert host.becomes(before)


def test_undo_fails(host, tmp_path):  # noqa: F811
    """Teardown ends it, then."""
    before = host.state()
    failing = f'{{ read -r line; case $line in delete*) exit 1;; esac; {{ echo "$line"; cat; }} | /usr/sbin/nft -f -; {PRESS}; exit; }}'
    _, error = interrupt(host, program(tmp_path, "nft", NFT % failing), "setup", "--tap", "vt0")
    assert error == ["undo: nft failed with status 1", "undo: something is left; run: volt net teardown --bridge volt0"]
    host.done("teardown")
    assert host.becomes(before)


def test_networkd_is_late(networkd, tmp_path):  # noqa: F811
    """It makes what it is to forget when undoing has come that far."""
    before, kept = networkd.state(), tmp_path / "kept"
    late = f"""if mkdir {kept} 2> /dev/null; then cp {UNITS}/* {kept}; {PRESS}; exit; fi
cp {kept}/* {UNITS}
networkctl() {{ /usr/bin/networkctl "$@"; }}
networkctl reload
until ip addr show volt0 | grep -q 10.86; do sleep 0.02; done
rm {UNITS}/*
networkctl reload"""
    out, _ = interrupt(networkd, program(tmp_path, "networkctl", late), "setup", "--tap", "vt0")
    assert "undo: remove the interface volt0" in out
    assert networkd.becomes(before)


def test_nobody_reads_what_it_says(host):  # noqa: F811
    """As "| head -1": what it does is whole all the same."""
    before = host.state()
    taps = [word for i in range(64) for word in ("--tap", f"a-long-tap-{i}")]
    for words in ["setup", *taps], ["teardown"]:
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([*host.prefix, VOLT, "net", *words], stdout=writer, stderr=subprocess.PIPE, text=True)
        os.close(writer)
        assert (done.returncode, done.stderr) == (1, "volt: standard output: Broken pipe\n")
        if words[0] == "setup":
            assert len(host.status()[0]["ports"]) == 64 and host.status()[0]["problems"] == []
    assert host.becomes(before)


def test_killed(networkd, tmp_path):  # noqa: F811
    """Not even told to end: what there is by then is told by status, and undone by teardown."""
    before, reached = networkd.state(), tmp_path / "reached"
    deaf = program(tmp_path, "networkctl", f"touch {reached}")
    process = subprocess.Popen([*networkd.prefix, *deaf, VOLT, "net", "setup"], stdout=subprocess.DEVNULL)
    volt.wait_until(reached.exists, "networkctl reload")
    process.kill()
    process.wait()
    assert networkd.status()[0]["problems"][0].startswith("volt0 is gone")
    networkd.done("teardown")
    assert networkd.becomes(before)


# --- bad input ---

BAD_INPUT = [
    (["--bridge", "a/b"], "--bridge: a/b: an interface's name has only A-Z a-z 0-9 . _ - in it here"),
    (["--bridge", "sixteen-letters-"], "an interface's name has 1 to 15 characters"),
    (["--bridge", "taken"], "there is an interface taken, which volt net setup did not make; give another name by --bridge"),
    (["--address", "10.86.0.1"], "--address: 10.86.0.1: expected ADDRESS/LENGTH, as 10.86.0.1/24"),
    (["--address", "10.86.0.1/33"], "--address: 10.86.0.1/33: expected ADDRESS/LENGTH"),
    (["--address", "10.86.0.0/24"], "10.86.0.0/24 is the network's first or last address"),
    (["--address", "192.0.2.65/26"], "192.0.2.65/26 overlaps with 192.0.2.65/27 on taken, which this host has already; "
                                     "give another by --address"),
    (["--address", "198.51.100.1/24"], "overlaps with 198.51.0.0/16"),
    (["--ipv6", "fd00:1::1/48"], "--ipv6: fd00:1::1/48: expected a length of 64"),
    (["--ipv6", "fd00:9::5/64"], "overlaps with fd00:9::1/64 on taken"),
    (["--uplink", "none0"], "--uplink: there is no interface none0; see: ip link"),
    (["--dns", "dns.example"], "--dns: dns.example: expected addresses of IPv4"),
    (["--tap", "taken"], "--tap: there is an interface taken already; give another name"),
    (["--tap", "a:b"], "--tap: a:b: an interface's name has only"),
    (["--tap", "vt0", "--owner", "no-such-user"], "--owner: there is no user no-such-user in /etc/passwd"),
    (["--owner", "root"], "--owner and --multi-queue are for TAP devices; give --tap NAME, too"),
    (["extra"], "extra: one argument too many"),
]


def test_bad_input(host):  # noqa: F811
    host.run("ip", "link", "add", "taken", "type", "bridge")
    host.run("ip", "link", "set", "taken", "up")
    host.run("ip", "addr", "add", "192.0.2.65/27", "dev", "taken")
    host.run("ip", "addr", "add", "fd00:9::1/64", "dev", "taken", "nodad")
    host.run("ip", "route", "add", "blackhole", "198.51.0.0/16")
    before = host.state()
    for words, expected in BAD_INPUT:
        for more in [], ["--dry-run"]:
            assert host.refused(2, "setup", *words, *more, expect=expected) == []
    assert host.becomes(before)


def test_nft_is_missing(host):  # noqa: F811
    before = host.state()
    nft = host.run("sh", "-c", "PATH=$PATH:/usr/sbin:/sbin command -v nft").strip()
    host.run("cp", "/dev/null", "/run/none")
    host.run("mount", "--bind", "/run/none", nft)
    host.refused(1, "setup", expect="run: apt-get install nftables, or give --no-masquerade")
    host.done("setup", "--no-masquerade")
    host.done("teardown")
    host.run("umount", nft)
    host.run("rm", "/run/none")
    assert host.becomes(before)


def test_files_of_others(networkd):  # noqa: F811
    """They are not overwritten, and not removed."""
    nothing = networkd.state()
    networkd.write(f"{UNITS}/10-volt-volt0.netdev", "[NetDev]\nName=mine\nKind=dummy\n")
    before = networkd.state()
    networkd.refused(2, "setup", expect=f"{UNITS}/10-volt-volt0.netdev is there, and was not made by volt net setup")
    assert networkd.becomes(before)
    networkd.run("rm", f"{UNITS}/10-volt-volt0.netdev")
    networkd.done("setup")
    networkd.write(f"{UNITS}/10-volt-volt0.netdev", "[NetDev]\nName=mine\nKind=dummy\n")
    assert f"leave {UNITS}/10-volt-volt0.netdev, which volt net setup did not make" in networkd.done("teardown")
    assert networkd.files() == ["10-volt-volt0.netdev"]
    networkd.run("rm", f"{UNITS}/10-volt-volt0.netdev")
    assert networkd.becomes(nothing)


def test_a_drop_in_folder(networkd):  # noqa: F811
    """Beside our files, for what systemd-networkd reads of them."""
    before = networkd.state()
    networkd.done("setup")
    networkd.run("mkdir", f"{UNITS}/10-volt-volt0.network.d")
    networkd.write(f"{UNITS}/10-volt-volt0.network.d/more.conf", "[Network]\nLLDP=no\n")
    assert networkd.status()[0]["problems"] == []
    networkd.done("setup", "--bridge", "lab")
    networkd.done("teardown", "--bridge", "lab")
    networkd.done("teardown")
    networkd.run("rm", "-r", f"{UNITS}/10-volt-volt0.network.d")
    assert networkd.becomes(before)


def test_an_interface_of_somebody_elses_stays(either):
    either.done("setup")
    either.run("ip", "link", "del", "volt0")
    either.run("ip", "link", "add", "volt0", "type", "bridge")
    either.refused(1, "setup", expect="there is an interface volt0, which volt net setup did not make")
    either.done("teardown")
    assert "volt0" in either.interfaces()


OTHER_TAPS = [["tap"], ["tun", "user", "0"]]


@pytest.mark.parametrize("words", OTHER_TAPS, ids=" ".join)
def test_a_tap_of_somebody_elses_stays(host, words):  # noqa: F811
    host.done("setup", "--no-masquerade", "--tap", "vt0")
    host.run("ip", "link", "del", "vt0")
    host.run("ip", "tuntap", "add", "vt0", "mode", *words)
    before = host.state()
    host.refused(1, "setup", expect="there is an interface vt0, which volt net setup did not make")
    assert host.becomes(before)
    host.done("teardown")
    assert host.interfaces() == {"lo", "vt0"}


def test_a_tap_on_another_bridge_stays(host):  # noqa: F811
    host.done("setup", "--tap", "vt0", "--tap", "vt1")
    host.run("ip", "link", "add", "mine", "type", "bridge")
    host.run("ip", "link", "set", "vt0", "master", "mine")
    host.run("ip", "link", "set", "vt1", "nomaster")
    before = host.state()
    host.refused(1, "setup", expect="vt0 is on another bridge than volt0")
    assert host.becomes(before)
    host.done("teardown")
    assert host.interfaces() == {"lo", "mine", "vt0"}


def test_a_table_of_somebody_elses_stays(host):  # noqa: F811
    host.run("nft", "add table inet volt_volt0")
    before = host.state()
    host.refused(2, "setup", expect="there is an nftables table inet volt_volt0, which volt net setup did not make")
    assert host.becomes(before)


def test_teardown_of_nothing(host):  # noqa: F811
    host.run("ip", "link", "add", "volt0", "type", "bridge")
    before = host.state()
    host.refused(2, "teardown", expect="volt0 is not set up by volt net setup, so there is nothing to undo; see: volt net "
                                       "status")
    host.refused(2, "teardown", "--bridge", "../x", expect="--bridge: ../x")
    result = host.volt("status")
    assert (result.returncode, result.stdout) == (1, "nothing is set up; run: sudo volt net setup\n")
    assert host.becomes(before)


def test_damaged_record(host):  # noqa: F811
    host.done("setup")
    host.run("sed", "-i", "s/10.86/x/", "/run/volt-net/volt0.json")
    for words in ["setup"], ["teardown"], ["status"]:
        host.refused(1, *words, expect="/run/volt-net/volt0.json: the record of \"volt net setup\" is damaged")


def test_a_port_in_use(host):  # noqa: F811
    host.done("setup", "--no-masquerade", "--tap", "vt0")
    host.run("ip", "link", "add", "other", "type", "veth", "peer", "name", "end")
    host.run("ip", "link", "set", "other", "master", "volt0")
    host.refused(1, "teardown", expect="other uses volt0; end the machine that has it first, or give --force")
    host.done("teardown", "--force")
    assert host.interfaces() == {"lo", "other", "end"}


def test_a_default_route_from_routers(host):  # noqa: F811
    """Forwarding would take it away."""
    host.uplink()
    host.run("ip", "-6", "route", "add", "default", "via", "2001:db8::2", "dev", "up0", "proto", "ra")
    before = host.state()
    host.refused(2, "setup", "--ipv6", "auto", expect="first run: sysctl net.ipv6.conf.up0.accept_ra=2")
    assert host.becomes(before)
    host.run("sh", "-c", "echo 2 > /proc/sys/net/ipv6/conf/up0/accept_ra")
    host.done("setup", "--ipv6", "auto")


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user cannot become another")
def test_without_rights(host):  # noqa: F811
    """One line; but a dry run is everybody's."""
    nobody = ["setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all"]
    before = host.state()
    for verb in "setup", "teardown":
        host.refused(2, verb, before=nobody, expect=f"needs root's rights; run: sudo volt net {verb}, or give --dry-run")
    assert host.done("setup", "--dry-run", before=nobody)
    assert host.becomes(before)
