# SPDX-License-Identifier: Apache-2.0
"""What is installed, and what is generated: man pages and bash completion say what the programs do."""
import os
import re
import subprocess

import pytest

import volt

PROGRAMS = {"bin/volt-vmm": 0o755, "bin/volt": 0o755, "bin/stellarium": 0o755, "lib/volt/volt-init": 0o755,
            "lib/volt/firecracker": 0o755}
OTHERS = {
    "lib/systemd/system/volt@.service": 0o644,
    "share/bash-completion/completions/volt-vmm": 0o644,
    "share/bash-completion/completions/volt": 0o644,
    "share/bash-completion/completions/stellarium": 0o644,
    "share/doc/volt/README.md": 0o644,
    "share/doc/volt/networking.md": 0o644,
    "share/man/man1/volt-vmm.1": 0o644,
    "share/man/man1/volt.1": 0o644,
    "share/man/man1/stellarium.1": 0o644,
    "share/man/man8/volt-init.8": 0o644,
    "share/volt/kernel/build": 0o755,
    "share/volt/kernel/recipe": 0o755,
    "share/volt/kernel/config/10-base.config": 0o644,
}
MAN_PAGES = [volt.BUILD / "packaging/volt-vmm.1", volt.ROOT / "packaging/man/volt.1",
             volt.ROOT / "packaging/man/volt-init.8", volt.ROOT / "packaging/man/stellarium.1"]


def run(*command, **more):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True,
                          timeout=volt.LIMIT_S, **more)


def install(destdir, prefix, before=(), **more):
    return run(*before, volt.ROOT / "packaging/install", volt.BUILD, destdir, prefix, **more)


def uninstall(destdir, prefix, before=(), **more):
    return run(*before, volt.ROOT / "packaging/uninstall", destdir, prefix, **more)


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


@pytest.mark.parametrize("prefix", ["/usr", "/opt/a place 100%"])
def test_uninstall_takes_away_what_install_brought(tmp_path, prefix):
    done = install(tmp_path, prefix, umask=0o077)
    assert done.returncode == 0, done.stderr
    root = tmp_path / prefix.lstrip("/")
    for name, mode in {**PROGRAMS, **OTHERS}.items():
        assert (root / name).stat().st_mode & 0o7777 == mode, name
    assert {p.stat().st_mode & 0o7777 for p in tmp_path.rglob("*") if p.is_dir()} == {0o755}
    assert run(root / "bin/volt-vmm", "--version").stdout.startswith("volt-vmm ")
    assert run(root / "lib/volt/firecracker", "--version").stdout.startswith("Firecracker v")
    assert (root / "lib/volt/firecracker").samefile(root / "bin/volt-vmm")
    listed = (root / "share/volt/manifest").read_text().splitlines()
    assert sorted(p[1:] for p in listed if not p.endswith("/")) == \
        [f for f in files(tmp_path) if not f.endswith("/manifest")]

    assert uninstall(tmp_path, prefix).returncode == 0
    assert list(tmp_path.iterdir()) == []
    done = uninstall(tmp_path, prefix)
    assert done.returncode == 0 and "nothing" in done.stdout


def test_unit_names_the_program_where_it_is(tmp_path):
    place = "lib/systemd/system/volt@.service"
    assert install(tmp_path, "/usr").returncode == 0
    assert (tmp_path / "usr" / place).read_text() == (volt.ROOT / "packaging/volt@.service").read_text()
    assert install(tmp_path, "/opt/a 100%").returncode == 0
    assert '\nExecStart="/opt/a 100%%/bin/volt-vmm" --config' in (tmp_path / "opt/a 100%" / place).read_text()


def test_unit_is_understood(tmp_path):
    """Each line of it, and the program is there. What it is ordered behind is not this unit's matter."""
    assert install("", tmp_path / "i").returncode == 0
    for target in ("sysinit", "basic", "shutdown", "network"):
        (tmp_path / f"{target}.target").write_text("[Unit]\nDefaultDependencies=no\n")
    unit = tmp_path / "volt@.service"
    unit.write_text((tmp_path / "i/lib/systemd/system/volt@.service").read_text())
    done = run("systemd-analyze", "verify", "--man=no", tmp_path / "volt@test.service",
               env={**os.environ, "SYSTEMD_UNIT_PATH": str(tmp_path)})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_install_again_removes_what_is_no_longer_part(tmp_path):
    assert install(tmp_path, "/usr").returncode == 0
    before = files(tmp_path)
    (tmp_path / "usr/lib/volt/former").touch()
    with (tmp_path / "usr/share/volt/manifest").open("a") as manifest:
        print("/usr/lib/volt/former", file=manifest)
    assert install(tmp_path, "/usr").returncode == 0
    assert files(tmp_path) == before


def test_uninstall_leaves_alone_what_is_not_ours(tmp_path):
    (tmp_path / "usr/bin").mkdir(parents=True)
    assert install(tmp_path, "/usr").returncode == 0
    (tmp_path / "usr/share/man/man1/mine.1").touch()
    assert uninstall(tmp_path, "/usr").returncode == 0
    assert files(tmp_path) == ["usr/share/man/man1/mine.1"]
    assert (tmp_path / "usr/bin").is_dir() and not (tmp_path / "usr/lib").exists()


def test_uninstall_refuses_a_manifest_that_points_elsewhere(tmp_path):
    manifest = tmp_path / "usr/share/volt/manifest"
    manifest.parent.mkdir(parents=True)
    victim = tmp_path / "victim"
    victim.touch()
    for path in ["/victim", "/usr/../victim", "/"]:
        manifest.write_text(f"{path}\n")
        done = uninstall(tmp_path, "/usr")
        assert done.returncode == (0 if path == "/" else 1), path
    assert victim.exists()


def test_without_permission_nothing_is_changed(tmp_path):
    folder = tmp_path / "usr/share/man"
    folder.mkdir(parents=True)
    folder.chmod(0o555)
    done = install(tmp_path, "/usr", before=volt.POWERLESS)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert f"no permission to write {folder}:" in done.stderr and "sudo make install" in done.stderr
    assert files(tmp_path) == []

    folder.chmod(0o755)
    assert install(tmp_path, "/usr").returncode == 0
    before = files(tmp_path)
    (folder / "man1").chmod(0o555)
    done = uninstall(tmp_path, "/usr", before=volt.POWERLESS)
    assert done.returncode == 1 and "sudo make uninstall" in done.stderr
    assert files(tmp_path) == before


@pytest.mark.parametrize("page", MAN_PAGES, ids=lambda p: p.name)
def test_man_page_is_clean(page):
    done = run("groff", "-man", "-Tutf8", "-ww", page)
    assert done.returncode == 0 and done.stderr == ""


def plain(page):
    """A page as text, without fonts; wide, so that nothing is cut at a line's end."""
    return run("groff", "-man", "-Tascii", "-rLL=2000n", "-P-cbou", page).stdout


def test_man_page_has_every_flag():
    page = plain(MAN_PAGES[0])
    flags = re.findall(r"^ +(--[a-z-]+(?: \S+)?) {2,}", run(volt.VMM, "--help").stdout, re.M)
    assert len(flags) > 15
    for flag in flags:
        assert re.search(rf"^ +{re.escape(flag)}( |$)", page, re.M), flag


def walk(program, *verbs):
    """Every `volt ... --help` there is."""
    text = run(volt.BUILD / "bin" / program, *verbs, "--help").stdout
    yield verbs, text
    below = re.search(r"^Verbs:\n((?: .*\n)+)", text, re.M)
    for line in below.group(1).splitlines() if below else []:
        yield from walk(program, *verbs, line.split()[0])


@pytest.mark.parametrize("program, page", [("volt", MAN_PAGES[1]), ("stellarium", MAN_PAGES[3])])
def test_man_page_has_every_verb_and_option(program, page):
    sections = dict(re.findall(rf"^   ({program} .*)\n((?: {{7}}.*\n|\n)+)", plain(page), re.M))
    sections = {re.sub(r"[ \[]+[A-Z].*", "", title): text for title, text in sections.items()}
    leaves = 0
    for verbs, text in walk(program):
        if "\nVerbs:\n" in text:
            continue
        leaves += 1
        section = sections[" ".join((program, *verbs))]
        for option in re.findall(r"^ +(?:-\w, )?(--[a-z-]+)", text, re.M):
            assert option == "--help" or option in section, (verbs, option)
    assert leaves >= 6 and len(sections) == leaves


def complete(program, *words, environment=None):
    """What bash offers for the last word: a set, with "FILES" where it offers file names."""
    script = """
compopt() { [ "$*" != '-o default' ] || echo FILES; }
source "$1"
function=$2 program=$3
shift 3
COMP_WORDS=("$program" "$@") COMP_CWORD=$#
"$function" "$program" "${!#}" ""
[ ${#COMPREPLY[@]} = 0 ] || printf '%s\\n' "${COMPREPLY[@]}"
"""
    generated = volt.BUILD / "packaging/volt-vmm"
    source = generated if program == "volt-vmm" else volt.ROOT / "packaging/completion" / program
    done = run("bash", "-uec", script, "bash", source, "_" + program.replace("-", "_"),
               volt.BUILD / "bin" / program, *words, env=environment)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return set(done.stdout.splitlines())


@pytest.mark.parametrize("words, offered", [
    (["--huge"], {"--huge-pages"}),
    (["--cpus", "4", "--log-f"], {"--log-format"}),
    (["--huge-pages", ""], {"auto", "off", "thp", "2M"}),
    (["--huge-pages", "t"], {"thp"}),
    (["--huge-pages", "="], {"auto", "off", "thp", "2M"}),
    (["--huge-pages", "=", "o"], {"off"}),
    (["--huge-pages=o"], {"--huge-pages=off"}),  # without "=" in COMP_WORDBREAKS
    (["--acpi", "o"], {"on", "off"}),
    (["--kernel", ""], {"FILES"}),
    (["--volume", ""], {"FILES"}),
    (["--cas-store", ""], {"FILES"}),
    (["--kernel", "=", "/bo"], {"FILES"}),
    (["--console", ""], {"stdio", "file=", "pty", "none"}),
    (["--console", "file", "=", "/tmp/"], {"FILES"}),
    (["--console", "=", "file", "=", ""], {"FILES"}),
    (["--console", "file", "=", "x", "--acp"], {"--acpi"}),
    (["--memory", ""], set()),
    (["--memory", "=", "12"], set()),
    (["--dry-run", "--vers"], {"--version"}),
    (["--", "--k"], set()),
    (["--acpi", "on", "--", "sh", "-"], set()),
    (["--cmdline", "--", "--vers"], {"--version"}),  # a value, not the end of the options
])
def test_completion_of_volt_vmm(words, offered):
    assert complete("volt-vmm", *words) == offered


def test_completion_of_volt_vmm_offers_every_flag():
    flags = re.findall(r"^ +(--[a-z-]+)", run(volt.VMM, "--help").stdout, re.M)
    assert complete("volt-vmm", "") == set(flags)


@pytest.mark.parametrize("words, offered", [
    ([""], {"api", "doctor", "kernel", "net", "openapi", "pool", "rootfs", "snapshot"}),
    (["--"], {"--help", "--version"}),
    (["kernel", ""], {"list", "path", "import", "extract", "build"}),
    (["kernel", "im"], {"import"}),
    (["kernel", "import", "-"], {"--name", "--modules", "--help"}),
    (["kernel", "import", "--modules", ""], {"FILES"}),
    (["kernel", "import", ""], {"FILES"}),
    (["kernel", "import", "--name", ""], set()),
    (["kernel", "extract", "--output", ""], {"FILES"}),
    (["kernel", "nonsense", ""], set()),
    (["rootfs", "build", "--from", ""], {"FILES"}),
    (["doctor", "--can"], {"--can-run-linux"}),
    (["net", ""], {"setup", "teardown", "status"}),
    (["net", "setup", "--no"], {"--no-dhcp", "--no-masquerade"}),
    (["net", "setup", "--address", ""], set()),
    (["net", "setup", "--uplink", "l"], {"lo"}),
    (["net", "setup", "--owner", "nobod"], {"nobody"}),
    (["net", "teardown", "--bridge", ""], set()),
    (["pool", ""], {"start", "claim", "status", "stop"}),
    (["pool", "claim", "--"], {"--socket", "--id", "--net", "--wait", "--json", "--help"}),
    (["pool", "start", "--size", ""], set()),
    (["pool", "start", "--restore", ""], {"FILES"}),
    (["pool", "stop", "--socket", ""], {"FILES"}),
])
def test_completion_of_volt(words, offered):
    assert complete("volt", *words) == offered


def test_completion_of_volt_offers_kernels(tmp_path):
    kernel = tmp_path / "volt/kernels/stock"
    kernel.mkdir(parents=True)
    (kernel / "vmlinux").write_bytes(b"")
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path)}
    assert complete("volt", "kernel", "path", "", environment=environment) == {"stock"}


def test_completion_of_stellarium(here):
    program = volt.BUILD / "bin/stellarium"
    assert run(program, "init", "s").returncode == 0
    assert run(program, "import", "s", "disk", "-", input="x").returncode == 0
    for words, offered in [
        (["c"], {"clone", "commit"}),
        (["--"], {"--help", "--version"}),
        (["import", "s", "n", "f", "--re"], {"--replace"}),
        (["import", "--cut", ""], {"page", "fastcdc", "fixed"}),
        (["import", "s", "n", "f", "--codec", "z"], {"zstd"}),
        (["import", "s", "n", ""], {"FILES"}),
        (["import", "--owner", ""], {"root"}),
        (["import", "--init", ""], {"FILES"}),
        (["export", ""], {"FILES"}),
        (["export", "s", ""], {"disk"}),
        (["export", "s", "disk", ""], {"FILES"}),
        (["info", "--json", "s", ""], {"disk"}),
        (["diff", "s", "disk", "d"], {"disk"}),
        (["rm", "s", "disk", ""], {"disk"}),
        (["clone", "s", "disk", "x", "--count", ""], set()),
        (["volume", ""], {"create", "info", "rm"}),
        (["volume", "create", "--i"], {"--image"}),
        (["volume", "create", "s", "v", "--image", ""], {"disk"}),
        (["volume", "info", "s", ""], {"FILES"}),
        (["commit", "s", "v", "n", "--re"], {"--replace"}),
        (["nonsense", ""], set()),
    ]:
        assert complete("stellarium", *words) == offered, words
