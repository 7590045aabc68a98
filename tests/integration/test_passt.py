# SPDX-License-Identifier: Apache-2.0
"""Real Linux guests with a network by passt, of a user without any privilege; and volt-init's DHCP."""
import os
import pathlib
import signal
import subprocess
import sys
import warnings

import pytest

import api
from linux import Guest, Kernels, debian, make_initramfs
from netns import network  # noqa: F401
from passt_host import HOST, OUTSIDE, OUTSIDE6, Host, children, passts
from test_net import Peer
from volt import wait_until

pytestmark = pytest.mark.linux

MIB = 1 << 20
SIZE, LARGE = 4 * MIB, 100 * MIB
HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    return Kernels(tmp_path_factory.mktemp("kernels"))


@pytest.fixture(scope="module")
def initrd(tmp_path_factory):
    return make_initramfs(tmp_path_factory.mktemp("initrd") / "initrd.cpio", {"facts": FACTS})


@pytest.fixture
def host():
    made = Host()
    yield made
    made.close()


def in_namespace(network, code, *words):  # noqa: F811
    """What a line of Python prints there."""
    return network.run(sys.executable, "-c", "import socket, sys\n" + code, *words).strip()


TCP = """s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 30); s.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
data = b""
while part := s.recv(65536): data += part
print(data.split()[-1].decode())"""
UDP = """s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(3)
for _ in range(20):
    s.sendto(b"hello\\n", (sys.argv[1], int(sys.argv[2])))
    try:
        print(s.recv(100).decode()); break
    except socket.timeout:
        pass"""
REFUSED = """try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 5); print("taken")
except OSError: print("refused")"""

FACTS = f"""
echo "address=$(ip -4 -o addr show dev eth0 | awk '{{print $4}}')"
echo "route=$(ip route | grep default)"
echo "resolv=$(cat /etc/resolv.conf)"
echo "mtu=$(cat /sys/class/net/eth0/mtu)"
ps | grep -c '[v]olt-dhcp' | sed s/^/clients=/
ping -c 2 -W 5 {OUTSIDE} | grep -c 'bytes from' | sed s/^/ping=/
nslookup volt.test | grep -c 10.20.0.77 | sed s/^/dns=/
for i in $(seq 50); do ip -6 route | grep -q default && break; sleep 0.2; done
echo "route6=$(ip -6 route | grep default)"
# Open as long as a connection is: the passt of Debian 12 stalls those that the guest has closed on its side.
mkfifo /open; sleep 1000 > /open &
echo "down6=$(nc {OUTSIDE6} 5002 < /open | sha512sum | cut -d ' ' -f 1)"
for address in 127.0.0.1 {OUTSIDE}; do
    ip route add local 127.0.0.0/8 dev eth0 2>/dev/null
    echo | nc -w 3 $address 7777 > /dev/null && echo "reached=$address"
done
mkdir /www && echo published > /www/index.html && httpd -p 80 -h /www && httpd -p 81 -h /www
nc {OUTSIDE} 5001 < /open > /data
nc {OUTSIDE} 5003 < /data
for at in "{OUTSIDE} 5004" "{OUTSIDE6} 5005"; do
    (while echo; do sleep 0.2; done | nc $at > /dev/null; echo "ended: $at") &
done
sleep 1; echo ready; read line
echo "again=$(nc {OUTSIDE} 5006 < /open | sha512sum | cut -d ' ' -f 1)"; echo ready again
while [ $(cat /sys/class/net/eth0/carrier) = 1 ]; do sleep 0.1; done
echo down=1
"""


def saving(host):
    return ["--api-socket", host.own / "api", "--snapshot-dir", host.own]


def move(host, guest):
    """Save it, end it, and go on in another process."""
    with api.Client(host.own / "api") as client:
        status, made = client.call("PUT", "/v1/snapshot", {"path": str(host.own / "snap"), "resume": False})
    assert status == 200, made
    guest.process.kill()
    guest.process.communicate()
    (host.own / "api").unlink()
    wait_until(lambda: passts(host.network) == [], "the end of passt")
    guest.seen = b""
    words = [*host.prefix, host.vmm, "--restore", host.own / "snap", "--log-level", "info", "--metrics-path", guest.metrics]
    guest.process = subprocess.Popen(list(map(str, words)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_passt(host, kernels, initrd):
    """All of it in one boot, of an ordinary user: both ways, DNS, IPv6, ports; it goes on in another process with another
    passt, where its connections are reset, and new ones work; then this passt is killed, and the guest has no link, and goes on."""
    dns, down6 = Peer(host.outside, "dns", "10.20.0.77"), Peer(host.outside, "send", 5002, MIB)
    down, up = Peer(host.outside, "send", 5001, SIZE), Peer(host.outside, "take", 5003)
    # A service that only the host itself is to reach.
    private = Peer(host.network, "take", 7777)
    old = [Peer(host.outside, "take", port) for port in (5004, 5005)]
    again = Peer(host.outside, "send", 5006, MIB)
    guest = Guest(host.own, host.lend(kernels["own-vmlinux"]), host.lend(initrd), "--memory", "512M", "--net-backend", "passt",
                  "-p", "8079-8080:79-80", "-p", "127.0.0.1:8081:81", *saving(host), prefix=host.prefix, vmm=host.vmm,
                  command=["sh", "/facts"], stdin=subprocess.PIPE)
    guest.wait_for("ready\r\n")
    assert in_namespace(host.network, TCP, "127.0.0.1", 8080) == "published"
    assert in_namespace(host.outside, TCP, HOST, 8080) == "published"
    assert in_namespace(host.network, TCP, "127.0.0.1", 8081) == "published"
    assert in_namespace(host.outside, REFUSED, HOST, 8081) == "refused"
    before = guest.seen
    move(host, guest)
    guest.process.stdin.write(b"\n")
    guest.process.stdin.flush()
    for line in (f"ended: {OUTSIDE} 5004", f"ended: {OUTSIDE6} 5005", "ready again"):
        guest.wait_for(line)
    guest.seen = before + guest.seen
    assert in_namespace(host.network, TCP, "127.0.0.1", 8080) == "published"
    passt, = passts(host.network)
    assert children(guest.process.pid) == [passt]
    os.kill(passt, signal.SIGKILL)
    result = guest.finish()
    dns.process.kill()
    for peer in (private, *old):
        peer.process.kill()
    assert result.status == 0 and result.value("down") == "1", result.out + result.log
    assert result.value("address") == f"{HOST}/24"
    assert result.value("route").split()[:5] == ["default", "via", OUTSIDE, "dev", "eth0"]
    assert result.value("resolv") == f"nameserver {OUTSIDE}"
    assert result.value("mtu") == "65520"
    assert result.value("clients") == "0"  # the lease has no end
    assert (result.value("ping"), result.value("dns")) == ("2", "1"), result.out
    assert result.value("down6") == down6.result()[0]
    assert result.value("route6").startswith("default via ")
    assert "reached=" not in result.out
    assert result.value("again") == again.result()[0]
    digest, count, _ = up.result()
    assert (digest, int(count)) == (down.result()[0], SIZE)
    assert "net0: passt has ended by signal 9" in result.log and "the link is down" in result.log
    nic = result.metrics["nets"]["net0"]
    assert (nic["backend"], nic["broken"], nic["rx_dropped"]) == ("passt", 0, 0)
    assert passts(host.network) == []


# What passt has reset begins again, five times at most, and nothing else does. A wrong answer is one.
UPLOAD = r"""use IO::Socket; use Errno qw(ECONNRESET EPIPE); $SIG{PIPE} = "IGNORE";
for (1 .. 5) {
    my ($put, $line); my $s = IO::Socket::INET->new($ARGV[0]) or die "connect: $!"; open my $f, "/mnt/data" or die;
    while (sysread $f, my $part, 65536) { $put = syswrite $s, $part or last; $put == length $part or die "short" }
    if (defined $put && defined($line = <$s>)) { print "kept=$line"; exit }
    $! == ECONNRESET || $! == EPIPE or die "upload: $!"; print "upload reset\n";
}
"""

DEBIAN = f"""
echo "address=$(hostname -I | cut -d ' ' -f 1)"
echo "dns=$(getent hosts volt.test | cut -d ' ' -f 1)"
exec 3<>/dev/tcp/{OUTSIDE}/5001; echo "down=$(sha512sum <&3 | cut -d ' ' -f 1)"; exec 3<&-
mount -t tmpfs none /mnt; head -c {LARGE} /dev/urandom > /mnt/data
echo "up=$(sha512sum /mnt/data | cut -d ' ' -f 1)"
perl /upload {OUTSIDE}:5003; rm /mnt/data
for i in $(seq 50); do grep -q '^0\\{{32\\}} 00 .* eth0' /proc/net/ipv6_route && break; sleep 0.2; done
head -c {MIB} /dev/zero > /dev/tcp/{OUTSIDE6}/5002
perl -MIO::Socket -e '$s = IO::Socket::INET->new(LocalPort => 80, Listen => 1, ReuseAddr => 1); $| = 1; print "ready\\n";
    $c = $s->accept; print $c "HTTP/1.0 200\\r\\n\\r\\npublished"; close $c;
    $u = IO::Socket::INET->new(Proto => "udp", LocalPort => 53); $u->recv($got, 100); $u->send($got)'
"""


def test_debian_by_one_command(host, tmp_path_factory):
    """Debian's kernel and its disk: nothing is said but which ports lead into it; and when the guest is done, passt
    is gone and its port free."""
    kernel, made = debian(tmp_path_factory.mktemp("data"))
    image = host.lend(made)
    os.chown(image, 65534, 65534)
    (host.own / "upload").write_text(UPLOAD)
    subprocess.run(["debugfs", "-w", "-R", f"write {host.own / 'upload'} upload", image], check=True, capture_output=True)
    host.lend(kernel + ".initrd")
    dns, down, up, up6 = (Peer(host.outside, *words) for words in (
        ("dns", "10.20.0.77"), ("send", 5001, LARGE), ("keep", 5003, LARGE), ("take", 5002)))
    guest = Guest(host.own, host.lend(kernel), None, "--rootfs", image, "--memory", "512M", "-p", "8080:80", "-p", "5353:53/udp",
                  prefix=host.prefix, vmm=host.vmm, command=["bash", "-c", DEBIAN])
    guest.wait_for("ready\r\n")
    assert in_namespace(host.network, TCP, "127.0.0.1", 8080) == "published"
    assert in_namespace(host.outside, UDP, HOST, 5353) == "hello"
    result = guest.finish()
    dns.process.kill()
    assert result.status == 0, result.out + result.log
    assert passts(host.network) == []
    assert in_namespace(host.network, 'socket.create_server(("", 8080)); print("free")') == "free"
    assert (result.value("address"), result.value("dns")) == (HOST, "10.20.0.77"), result.out + result.log
    assert result.value("down") == down.result()[0]
    digest, count, cut = up.result()
    assert (digest, digest, int(count)) == (result.value("up"), result.value("kept"), LARGE)
    assert int(up6.result()[1]) == MIB
    if cut != "0":
        warnings.warn(f"passt has reset {cut} uploads, which began again (docs/networking.md)", stacklevel=1)


def test_dhcp(network, tmp_path, kernels, initrd):  # noqa: F811
    """Nobody answers: a line, and the start goes on. Then somebody does: the address comes, is renewed, is taken away,
    and another one comes."""
    network.run("ip", "tuntap", "add", "tap0", "mode", "tap")
    network.run("ip", "addr", "add", "10.9.0.1/24", "dev", "tap0")
    network.run("ip", "link", "set", "tap0", "up")
    script = """echo started; has() { ip addr show dev eth0 | grep -q "inet $1/24"; }
until has 10.9.0.50; do sleep 0.1; done; echo first=1
echo "resolv=$(cat /etc/resolv.conf) mtu=$(cat /sys/class/net/eth0/mtu)"; echo "name=$(ps | grep -c '[v]olt-dhcp')"
until has 10.9.0.60; do sleep 0.1; done; has 10.9.0.50 || echo second=1; ip route | grep -c default | sed s/^/routes=/"""
    guest = Guest(tmp_path, kernels["own-vmlinux"], initrd, "--net", "tap=tap0,ip=dhcp", prefix=network.prefix,
                  command=["sh", "-c", script])
    guest.wait_for("started\r\n")
    server = subprocess.Popen([*network.prefix, sys.executable, HERE / "dhcp_server.py", "tap0", "8", "10.9.0.50",
                               "10.9.0.60"], stdout=subprocess.PIPE, text=True)
    result = guest.finish()
    server.kill()
    heard = server.stdout.read().splitlines()
    assert result.status == 0, result.out + result.log
    assert "volt.ip: no answer by DHCP on eth0 within 5 s; going on without" in result.out
    assert (result.value("first"), result.value("second"), result.value("routes")) == ("1", "1", "1"), result.out
    assert result.value("resolv") == "nameserver 9.9.9.9 mtu=1400" and result.value("name") == "1"
    assert heard == ["ready", "granted 10.9.0.50", "renewed 10.9.0.50", "renewed 10.9.0.50", "refused 10.9.0.50",
                     "granted 10.9.0.60"]
    assert "has lost the address that DHCP gave it" in result.out
