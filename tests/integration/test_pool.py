# SPDX-License-Identifier: Apache-2.0
"""volt pool: each machine is somebody's once, and none is left that is nobody's."""
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile

import pytest

import pool
import snapshots
import stellar
import volt
import worlds
from api import Client
from netns import network  # noqa: F401 (fixture)
from pool import Connection, Pool, alive, others_folder, verb, wait_for_end  # noqa: F401 (fixture)


@pytest.fixture
def two(here):
    with Pool() as made:
        made.wait_for()
        yield made


# --- from start to end ---


def life(prefix=(), options=(), machine=pool.BOOTED):
    """Start, claim all, refill, status, stop."""
    before = os.listdir()
    with Pool(*options, size=3, machine=machine, prefix=prefix) as made:
        made.wait_for()
        assert stat.S_IMODE(os.stat("p").st_mode) == 0o600
        first = made.pids()
        taken = [made.claim(prefix=prefix) for _ in range(3)]
        assert {m["pid"] for m in taken} == first
        for machine in taken:
            with Client(machine["socket"]) as client:
                assert client.state() == "running"
                assert client.get("/v1/vm/config")["id"] == machine["id"]
        made.wait_for()
        ready = made.machines()
        assert not first & {m["pid"] for m in ready} and made.pids("claimed") == first
        # What is claimed keeps its number, and so what is named by it.
        assert len({m["number"] for m in taken + ready}) == 6
        for machine in ready:
            with Client(machine["socket"]) as client:
                assert client.state() == "paused"
        status = made.status()
        assert (status["size"], status["ready"], status["claimed"], status["claims"], status["lost"]) == (3, 3, 3, 3, 0)
        made.stop()
        assert not any(alive(m["pid"]) for m in ready) and all(alive(m["pid"]) for m in taken)
        assert not os.path.exists("p") and not any(os.path.exists(m["socket"]) for m in ready)
        for machine in taken:
            with Client(machine["socket"]) as client:
                assert client.state() == "running"
                client.act("kill")
        wait_for_end(*first)
        assert sorted(os.listdir()) == sorted([*before, "p.log"]) and made.said() == ""


def save():
    """A snapshot of a guest that runs, in the current folder."""
    with snapshots.start() as machine:
        snapshots.save(f"{snapshots.SNAPS}/snap")
        machine.process.kill()
    os.rename(f"{snapshots.SNAPS}/snap", "snap")
    os.rmdir(snapshots.SNAPS)
    os.unlink("api")


RESTORED = ["--restore", "snap"]


def test_life_of_a_pool(here):
    save()
    life(options=RESTORED, machine=())


def test_life_of_a_pool_without_a_snapshot(here):
    life()


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user cannot become another")
def test_life_of_an_ordinary_users_pool(others_folder):  # noqa: F811
    save()
    subprocess.run(["chown", "-R", f"{worlds.NOBODY}:{worlds.NOBODY}", others_folder], check=True)
    life(worlds.USER, RESTORED, ())


def test_machines_go_on_from_where_they_were_saved(here):
    """Each on its own, with what is named by its number."""
    save()
    with Pool(*RESTORED, machine=["--", "--console", "file=c{n}"]) as made:
        made.wait_for()
        numbers = {m["number"] for m in made.machines()}
        assert numbers == {0, 1}
        for number in numbers:
            assert os.path.getsize(f"c{number}") == 0
        machine = made.claim()
        with Client(machine["socket"]) as client:
            assert client.get("/v1/vm/config")["console"] == f"file=c{machine['number']}"
        # What is no snapshot any more gives no machine.
        os.truncate("snap/state", 100)
        made.claim()
        volt.wait_until(lambda: "failures" in made.status(), "a start that fails")
        assert "snap" in made.status()["fault"], made.status()


def test_machines_go_on_from_a_store(here):
    """The first ones come at once, and find no files of it yet; gc leaves those of machines that are ready or claimed."""
    save()
    stellar.ok("init", "s")
    subprocess.run([pool.PROGRAM, "snapshot", "import", "--cas-store", "s", "snap", "web"], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree("snap")
    refused = verb("start", "--restore", "other", "--cas-store", "s", "--size", "1", "--socket", "q")
    assert refused.returncode == 1 and "--restore other: " in refused.stderr and not os.path.exists("q"), refused
    with Pool("--restore", "web", "--cas-store", "s", size=3, machine=()) as made:
        made.wait_for()
        assert len(os.listdir("s/unpacked")) == 1
        claimed = made.claim()
        made.wait_for()
        subprocess.run([pool.PROGRAM, "snapshot", "rm", "--cas-store", "s", "web"], check=True)
        stellar.ok("gc", "s")
        assert len(os.listdir("s/unpacked")) == 1
        with Client(claimed["socket"]) as client:
            assert client.state() == "running"
        made.claim()
        volt.wait_until(lambda: "failures" in made.status(), "a start that fails")
        assert "web" in made.status()["fault"], made.status()
        made.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_end_it_in_order(two, number):
    ready = two.pids()
    two.process.send_signal(number)
    assert two.process.wait(timeout=volt.LIMIT_S) == 0
    assert not any(map(alive, ready)) and os.listdir() == ["p.log"]


def test_in_the_background(here):
    started = verb("start", "--size", 1, "--socket", "p", "--detach", "--log", "log", *pool.BOOTED)
    assert (started.returncode, started.stdout, started.stderr) == (0, "", "")
    status = json.loads(verb("status", "--socket", "p", "--json").stdout)
    assert status["ready"] == 1 and os.getsid(status["pid"]) == status["pid"]
    assert {os.readlink(f"/proc/{status['pid']}/fd/{n}") for n in (0, 1)} == {"/dev/null"}
    (machine,) = status["machines"]
    assert f"1 of 1 ready, 0 starting, 0 claimed; 0 claims so far, 0 lost\nready    {machine['pid']:7}  pool-0  " \
        in verb("status", "--socket", "p").stdout
    assert verb("stop", "--socket", "p").returncode == 0
    assert os.listdir() == ["log"]


def test_what_is_printed_for_scripts(two):
    done = verb("claim", "--socket", "p")
    path, pid = done.stdout.split()
    two.claimed.add(int(pid))
    with Client(path) as client:
        assert client.state() == "running"
    assert path == os.path.abspath(path)


# --- each machine once ---


def test_fifty_claimers_at_once_get_fifty_machines(here):
    with Pool(size=8) as made, concurrent.futures.ThreadPoolExecutor(50) as threads:
        made.wait_for()
        claims = [threads.submit(made.claim, "--wait", 150) for _ in range(50)]
        machines = [claim.result() for claim in claims]
        assert len({m["pid"] for m in machines}) == len({m["socket"] for m in machines}) == 50
        assert made.status()["claims"] == 50
        assert all(alive(m["pid"]) for m in machines)


def test_who_does_not_wait_is_refused(here):
    with Pool("--max", 3, size=3) as made, concurrent.futures.ThreadPoolExecutor(20) as threads:
        made.wait_for()
        done = list(threads.map(lambda _: verb("claim", "--socket", "p", "--json"), range(20)))
        got = [json.loads(d.stdout)["pid"] for d in done if d.returncode == 0]
        made.claimed.update(got)
        assert len(set(got)) == len(got) == 3
        for refused in (d for d in done if d.returncode != 0):
            assert refused.returncode == 1 and refused.stdout == ""
            assert refused.stderr.startswith("volt pool claim: no machine is ready: "), refused
        assert "all of 3 (--max) are claimed" in verb("claim", "--socket", "p").stderr
        assert "no machine is ready in that time: all of 3" in verb("claim", "--socket", "p", "--wait", "0.1").stderr
        # One that ends makes room.
        os.kill(got[0], signal.SIGKILL)
        assert made.claim("--wait", 100)["pid"] not in got


def test_claimer_that_dies_before_it_keeps_the_machine(two):
    with Connection() as claimer:
        machine = claimer.claim()
        with Client(machine["socket"]) as client:
            assert client.state() == "running"
        assert two.pids("held") == {machine["pid"]}
    wait_for_end(machine["pid"])
    two.wait_for()
    assert machine["pid"] not in two.pids() | two.pids("claimed")


def test_claimer_that_dies_after_it_kept_the_machine(two):
    with Connection() as claimer:
        machine = claimer.claim()
        claimer.send({"keep": True})
    two.claimed.add(machine["pid"])
    volt.wait_until(lambda: two.pids("claimed") == {machine["pid"]}, "the machine kept")
    assert alive(machine["pid"])


def test_claimers_that_die_while_they_wait(here):
    """The next in line gets the machine."""
    with Pool("--max", 1, size=1) as made:
        made.wait_for()
        holder, dead, alive_one = Connection(), Connection(), Connection()
        first = holder.claim()
        for waiting in (dead, alive_one):
            waiting.send({"claim": {"wait_ms": 100000}})
        dead.close()
        holder.close()
        machine = alive_one.receive()["claimed"]
        assert machine["pid"] != first["pid"]
        alive_one.close()
        wait_for_end(machine["pid"])


def test_one_connection_has_one_machine_at_a_time(two):
    with Connection() as claimer:
        first = claimer.claim()
        assert claimer.fault({"claim": {}}) == f"this connection has machine {first['id']}, which is not kept yet"
        assert claimer.keep() == first
        two.claimed.add(first["pid"])
        assert "there is no machine to keep" in claimer.fault({"keep": True})
        second = claimer.claim()
        assert second["pid"] != first["pid"]


# --- ends that nobody asked for ---


def test_machine_that_dies_is_replaced(two):
    victim, other = two.machines()
    os.kill(victim["pid"], signal.SIGKILL)
    volt.wait_until(lambda: two.status()["lost"] == 1 and two.status()["ready"] == 2, "another machine")
    assert other["pid"] in two.pids() and victim["pid"] not in two.pids()
    assert f"{victim['id']} ended before anybody had claimed it: it was ended by signal 9" in two.said()
    assert two.claim()["pid"] != victim["pid"]


def test_machine_that_is_ended_by_its_api_is_replaced(two):
    """The connection that holds it ends, and then the process."""
    victim = two.machines()[0]
    with Client(victim["socket"]) as client:
        client.act("kill")
    volt.wait_until(lambda: two.status()["lost"] == 1 and two.status()["ready"] == 2, "another machine")
    assert not os.path.exists(victim["socket"]) or victim["socket"] in {m["socket"] for m in two.machines()}


def test_machine_that_dies_while_it_is_held(two):
    with Connection() as claimer:
        machine = claimer.claim()
        os.kill(machine["pid"], signal.SIGKILL)
        wait_for_end(machine["pid"])
        volt.wait_until(lambda: not two.pids("held"), "its end noticed")
        assert "there is no machine to keep" in claimer.fault({"keep": True})


def test_daemon_that_is_killed_leaves_no_unclaimed_machine(two):
    kept = two.claim()
    with Connection() as claimer:
        held = claimer.claim()
        two.wait_for()
        ready = two.pids()
        two.process.kill()
        two.process.wait()
        wait_for_end(held["pid"], *ready)
        assert claimer.receive() is None
    with Client(kept["socket"]) as client:
        assert client.state() == "running"
    # They have removed their sockets; the daemon's own shows that it did not.
    assert sorted(os.listdir()) == sorted(["p", "p.log", os.path.basename(kept["socket"])])


def test_after_a_daemon_that_was_killed(two):
    """What it left is in nobody's way, and what is claimed keeps its place."""
    kept = two.claim()
    two.wait_for()
    ready = two.machines()
    two.process.kill()
    two.process.wait()
    for machine in ready:
        os.kill(machine["pid"], signal.SIGKILL)
    wait_for_end(*(m["pid"] for m in ready))
    done = verb("start", "--size", 1, "--socket", "p", *pool.BOOTED)
    assert done.returncode == 2 and "p exists: remove it if no pool uses it" in done.stderr
    assert verb("claim", "--socket", "p").stderr.endswith("no pool serves this socket any more\n")
    os.unlink("p")
    with Pool(size=2) as again:
        again.wait_for()
        assert kept["number"] not in {m["number"] for m in again.machines()}
        again.stop()
    assert alive(kept["pid"])


# --- starts that fail ---


def test_first_machine_that_cannot_be_started(here):
    for how in ([], ["--detach"]):
        done = verb("start", "--size", 2, "--socket", "p", *how, "--", "--kernel", "none")
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done
        assert done.stderr.startswith("volt pool start: the first machine could not be started: volt-vmm: ")
        assert "none: No such file" in done.stderr and os.listdir() == []


def test_machine_without_a_kernel(here):
    done = verb("start", "--size", 2, "--socket", "p", "--", "--cpus", 1)
    assert done.returncode == 1 and "no kernel, and no snapshot to go on from" in done.stderr


def test_start_that_fails_later_is_tried_again(here):
    shutil.copy(volt.guest("do"), "kernel")
    with Pool("--", "--kernel", "kernel", "--cmdline", "!", size=1, machine=()) as made:
        made.wait_for()
        os.rename("kernel", "away")
        made.claim()
        volt.wait_until(lambda: made.status().get("failures", 0) >= 2, "two failures")
        status = made.status()
        assert "kernel: No such file" in status["fault"] and status["retry_ms"] <= 30000
        assert "no machine could be started (2 in a row), the next is tried in 200 ms: volt-vmm: " in made.said()
        assert "kernel: No such file" in verb("status", "--socket", "p").stdout
        assert "the last start failed: volt-vmm:" in verb("claim", "--socket", "p").stderr
        os.rename("away", "kernel")
        made.wait_for()
        assert "fault" not in made.status()


# --- what a claim changes ---


def test_identity_of_a_claim(two):
    machine = two.claim("--id", "web-1")
    assert machine["id"] == "web-1"
    with Client(machine["socket"]) as client:
        assert client.get("/v1/vm/config")["id"] == "web-1"
    assert "web-1" in verb("status", "--socket", "p").stdout


def test_nics_of_a_claim(network, here):
    """Each machine has a TAP device of its own; what is live of it changes, and what is refused costs no machine."""
    with Pool("--net", "id=net0,tap=pool{n}", prefix=network.prefix) as made:
        made.wait_for()
        assert {"pool0", "pool1"} <= network.interfaces()
        before = made.pids()
        done = verb("claim", "--socket", "p", "--net", "id=other,link=off")
        assert done.returncode == 2 and "net other: there is none" in done.stderr
        assert made.pids() == before
        # Half of it is done, so the machine is no longer as the others.
        done = verb("claim", "--socket", "p", "--net", "id=net0,link=off", "--net", "id=other,link=off")
        assert done.returncode == 2 and "net other: there is none" in done.stderr
        made.wait_for()
        assert len(made.pids() & before) == 1
        machine = made.claim("--net", "id=net0,link=off,rx-rate=1M,tx-packets=10")
        with Client(machine["socket"]) as client:
            net = client.get("/v1/vm/nets/net0")
        assert (net["link"], net["rx_rate"], net["tx_packets"]) == (False, "1M", 10)
        assert net["tap"] == f"pool{machine['number']}"
        made.wait_for()
        assert f"pool{machine['number']}" in network.interfaces()


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user cannot become another")
def test_a_tap_device_that_is_missing(network, monkeypatch):  # noqa: F811
    """An ordinary user's machines need one each: what is missing is named, and its machine comes when it is there."""
    def give(name):
        network.run("ip", "tuntap", "add", name, "mode", "tap", "user", worlds.NOBODY)
        network.run("ip", "link", "set", name, "up")

    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.chdir(folder)
        os.chown(folder, worlds.NOBODY, worlds.NOBODY)
        give("pool0")
        with Pool("--net", "id=net0,tap=pool{n}", prefix=[*network.prefix, *worlds.USER]) as made:
            made.wait_for(1)
            volt.wait_until(lambda: "failures" in made.status(), "a start that fails")
            assert "pool1" in made.status()["fault"] and made.status()["ready"] == 1, made.status()
            assert network.interfaces() == {"lo", "pool0"}
            give("pool1")
            made.wait_for()


def test_a_machine_that_somebody_has_let_run(two):
    """By its own socket: it is no longer as the others, has nobody's id, and is replaced."""
    victim = min(two.machines(), key=lambda machine: machine["number"])
    with Client(victim["socket"]) as client:
        client.act("resume")
    done = verb("claim", "--socket", "p", "--id", "mine")
    assert done.returncode == 1 and "running" in done.stderr, done
    two.wait_for()
    assert victim["pid"] not in two.pids() and "mine" not in [machine["id"] for machine in two.machines()]
    assert two.claim("--id", "mine")["id"] == "mine"


@pytest.mark.parametrize("net, fault", [
    ("link=off", "expected id=NAME of the NIC"),
    ("id=net0,mac=02:00:00:00:00:01", "mac: cannot change once the machine has started: say it to volt pool start"),
    ("id=net0,fly=on", "fly=on: expected KEY=VALUE of a NIC"),
    ("id=net0,link", "link: expected KEY=VALUE of a NIC"),
    ("id=net0,link=no", "link: expected on or off"),
    ("id=net0,rx-rate=x", "rx-rate: expected a size"),
])
def test_nics_that_no_claim_can_have(here, net, fault):
    done = verb("claim", "--socket", "none", "--net", net)
    assert done.returncode == 2 and fault in done.stderr, done


# --- the command line ---


@pytest.mark.parametrize("words, fault", [
    (["--size", "1"], "--socket: missing"),
    (["--socket", "p", "--restore", "x"], "--size : expected a number, 1 to 4096"),
    (["--socket", "p", "--restore", "x", "--size", "0"], "--size 0: expected a number, 1 to 4096"),
    (["--socket", "p", "--restore", "x", "--size", "2x"], "--size 2x: expected a number"),
    (["--socket", "p", "--restore", "x", "--size", "5", "--max", "4"], "--max 4: expected at least --size, 5"),
    (["--socket", "p", "--size", "1"], "--restore: missing"),
    (["--socket", "p", "--size", "1", "--", "--api-socket=x"], "--api-socket: that is for the pool to say"),
    (["--socket", "p", "--size", "1", "--", "--kernel", "x", "--id", "y"], "--id: that is for the pool to say"),
    (["--socket", "p", "--size", "1", "--restore", "x", "--net", "tap=tap0"], "every machine needs a device of its own"),
    (["--socket", "none/p", "--size", "1", "--restore", "x"], "cannot make none/p: No such file or directory"),
    (["--socket", "a" * 100, "--size", "1", "--restore", "x"], "which a pool's socket cannot be"),
    (["--socket", ".", "--size", "1", "--restore", "x"], "expected a file's name"),
    (["--socket", "p", "--size", "1", "--log", "none/log", "--restore", "x"], "--log: "),
])
def test_command_lines_that_are_refused(here, words, fault):
    done = verb("start", *words)
    assert done.returncode == 2 and fault in done.stderr, done
    assert os.listdir() == []


def test_path_that_exists_is_refused_and_stays(here):
    (here / "p").write_text("mine")
    done = verb("start", "--size", 1, "--socket", "p", *pool.BOOTED)
    assert done.returncode == 2 and "p exists: remove it if no pool uses it" in done.stderr
    assert os.listdir() == ["p"] and (here / "p").read_text() == "mine"


def test_numbers_whose_place_is_taken(here):
    """By what is no socket, or by one that somebody serves; one that nobody does is only a leftover."""
    (here / "p.0").write_text("mine")
    with socket.socket(socket.AF_UNIX) as served, socket.socket(socket.AF_UNIX) as left:
        served.bind("p.1")
        served.listen()
        left.bind("p.2")
        left.close()
        with Pool() as made:
            made.wait_for()
            assert {m["number"] for m in made.machines()} == {2, 3}
            made.stop()
        assert sorted(os.listdir()) == ["p.0", "p.1", "p.log"] and (here / "p.0").read_text() == "mine"


def test_more_connections_than_there_are_descriptors(here):
    """They wait, and are served when others have gone."""
    with Pool(prefix=["prlimit", "--nofile=48:48"]) as made:
        made.wait_for()
        connections = [Connection() for _ in range(60)]
        connections[-1].send({"status": True})
        for connection in connections[:-1]:
            connection.close()
        assert connections[-1].receive()["status"]["ready"] == 2
        connections[-1].close()


@pytest.mark.parametrize("word", ["claim", "status", "stop"])
def test_no_pool_there(here, word):
    done = verb(word, "--socket", "p")
    assert done.returncode == 2 and "cannot connect to p (the pool's socket): No such file" in done.stderr
    assert verb(word).stderr.endswith("--socket: missing; expected the path of a pool's socket\n")


# --- the protocol ---


def test_lines_that_are_refused(two):
    with Connection() as connection:
        assert connection.fault([]) == "expected an object with one key: what is asked for"
        assert connection.fault({"fly": True}) == "fly: unknown request; expected claim, keep, status or stop"
        assert connection.fault({"claim": {"nets": [{"id": "../drives/a"}]}}).startswith("claim: nets: id: expected")
        connection.sock.sendall(b'{"status":true}\n{"status":true}\n')
        assert connection.receive()["status"]["ready"] == connection.receive()["status"]["ready"] == 2
        connection.sock.sendall(b"x" * 8192)
        assert connection.receive() == {"fault_message": "a line is longer than 8192 bytes"}
        assert connection.receive() is None


def test_more_connections_than_there_may_be(two):
    connections = [Connection() for _ in range(128)]
    assert connections[-1].ask({"status": True})["status"]["ready"] == 2
    with Connection() as one_more:
        assert one_more.receive() == {"fault_message": "too many open connections"}
    connections.pop().close()
    volt.wait_until(lambda: "status" in (Connection().ask({"status": True}) or {}), "room")
    for connection in connections:
        connection.close()


def test_reader_that_reads_nothing_stops_nobody_else(two):
    with Connection() as slow:
        slow.sock.setblocking(False)
        try:
            while True:
                slow.sock.send(b'{"status":true}\n' * 100)
        except BlockingIOError:
            pass
        assert two.status()["ready"] == 2
        assert two.claim()["pid"] in two.pids("claimed")


def test_pool_that_ends_tells_those_who_wait(here):
    with Pool("--max", 1, size=1) as made:
        made.wait_for()
        with Connection() as holder, Connection() as waiting:
            machine = holder.claim()
            waiting.send({"claim": {"wait_ms": 100000}})
            made.stop()
            assert waiting.receive() == {"fault_message": "the pool is ending"}
            assert holder.receive() is None and not alive(machine["pid"])


def test_machines_have_nothing_of_the_daemons(two):
    """No terminal, no descriptor, no signal that it blocks."""
    for machine in two.machines():
        pid = machine["pid"]
        assert os.getsid(pid) == pid
        blocked = int(re.search(r"^SigBlk:\t(\w+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1], 16)
        assert not blocked >> signal.SIGCHLD - 1 & 1 and blocked >> signal.SIGTERM - 1 & 1, hex(blocked)
        if os.geteuid() == 0:  # volt-vmm is not dumpable
            links = [os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")]
            assert links.count("/dev/null") == 2 and not any("p.log" in link for link in links), links
