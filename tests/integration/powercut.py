# SPDX-License-Identifier: Apache-2.0
"""What a folder holds after a loss of power, at any moment of a command's run.

    disk = Disk(folder)                  all that is in the folder is durable
    disk.record(command)                 run it under strace, which shows what it changes, with the data; and more of them
    for point in disk.cut(elsewhere):    a moment within or after each call that changes something, and a way in which
        ...                              a cut leaves the folder then: so it is elsewhere. point.ended: commands that had
    disk.points, disk.states             ended, point.said: what had been written to stdout. How many; and different ones.

A file's data is durable when fsync() or fdatasync() of that file returned, or at once when it was opened
with O_SYNC or O_DSYNC; a name, when the folder that it is in was synced. Nothing else is: syncing a file does not
keep its name, and a file system is not thought to write things in the order in which they were done. What is not
durable is, in turn, all gone; all gone but the names; the same with sizes kept and zeros in place of the data; or
any part of it there. And the last write that is not durable is torn: a part of its sectors is there.

Works for every program that changes files by system calls of one process: not through io_uring and not through
writable shared mappings, which is checked. LMDB's lock file is mapped so, but means nothing after a start.
"""
import dataclasses
import hashlib
import os
import pathlib
import random
import re
import shutil
import subprocess

SECTOR, PAGE = 512, 4096
LONGEST = 64 << 20  # bytes that one call writes
NO_MATTER = {"lock.mdb"}
TRACED = """openat open creat close dup dup2 dup3 fcntl write writev pwrite64 pwritev pwritev2 fsync fdatasync sync syncfs
    sync_file_range msync rename renameat renameat2 unlink unlinkat rmdir mkdir mkdirat link linkat symlink symlinkat
    ftruncate truncate fallocate copy_file_range sendfile splice mmap lseek io_uring_setup fork vfork execve""".split()
UNKNOWN = "sync syncfs fork vfork link linkat symlink symlinkat truncate creat splice sendfile io_uring_setup".split()
WITHOUT_FOLDER = {"open": "openat", "rename": "renameat", "unlink": "unlinkat", "rmdir": "unlinkat", "mkdir": "mkdirat"}
CALL = re.compile(r"^\d+ +(\w+)\((.*)\) += (-?\d+|0x[0-9a-f]+)(.*)$")
STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')


class File:
    """The bytes that are durable, those that programs see, and what leads from these to those."""

    def __init__(self, data=b""):
        self.durable, self.now, self.pending = bytes(data), bytearray(data), []

    def change(self, at, data):
        apply(self.now, at, data)
        self.pending.append((at, data))

    def sync(self):
        self.durable, self.pending = bytes(self.now), []


class Folder:
    def __init__(self):
        self.durable, self.now = {}, {}


class Open:
    def __init__(self, node, synced):
        self.node, self.synced, self.at = node, synced, 0


def apply(content, at, data):
    """`data` is bytes that are written at `at`, or None: the file has this size."""
    if data is None:
        del content[at:]
        content.extend(bytes(at - len(content)))
        return
    content.extend(bytes(max(0, at - len(content))))
    content[at:at + len(data)] = data


def bytes_in(arguments):
    """All strings among a call's arguments, as strace -xx writes them."""
    found = []
    for text, cut in STRING.findall(arguments):
        assert not cut, "a write is longer than the trace"
        found.append(bytes.fromhex(text.replace("\\x", "")))
    return found


def key_of(tree):
    digest = hashlib.sha256()

    def add(tree):
        for name, node in sorted(tree.items()):
            digest.update(b"%d %s %d," % (isinstance(node, dict), name.encode(), len(node)))
            add(node) if isinstance(node, dict) else digest.update(node)

    add(tree)
    return digest.digest()


def write_tree(folder, tree):
    folder.mkdir(parents=True, exist_ok=True)
    for name, node in tree.items():
        write_tree(folder / name, node) if isinstance(node, dict) else (folder / name).write_bytes(node)


@dataclasses.dataclass
class Point:
    call: str  # within or after which the power was cut
    ended: int
    said: bytes
    state: str = None  # what is left


def torn(durable, write, first):
    """With one half of the sectors of a write."""
    content = bytearray(durable)
    if write is not None and write[1] is not None:
        at, data = write
        middle = (at + len(data) // 2) // SECTOR * SECTOR - at
        if middle > 0:
            apply(content, *((at, data[:middle]) if first else (at + middle, data[middle:])))
    return bytes(content)


def sized(file):
    size = len(file.now)
    return file.durable[:size] + bytes(max(0, size - len(file.durable)))


def some(file, pick):
    """Of what is pending any pages, in any order but within a page."""
    content = bytearray(file.durable)
    for at, data in file.pending:
        if data is None:
            if pick.random() < 0.5:
                apply(content, at, None)
            continue
        for start in range(at - at % PAGE, at + len(data), PAGE):
            low, high = max(start, at), min(start + PAGE, at + len(data))
            if pick.random() < 0.5:
                apply(content, low, data[low - at:high - at])
    return bytes(content)


class Disk:
    def __init__(self, folder):
        self.place = pathlib.Path(folder).resolve()
        self.names = []     # changes of names that are not durable, in order: [(folder, name, node or None), ...]
        self.written = None  # the file that has the last write which is not durable
        self.runs = []       # of each command, its calls: (name, arguments, result)
        self.points = self.states = 0
        self.root = self._read(self.place)

    def _read(self, path):
        if not path.is_dir():
            return File(path.read_bytes())
        folder = Folder()
        folder.now = {entry.name: self._read(entry) for entry in path.iterdir()}
        folder.durable = dict(folder.now)
        return folder

    # -- what happened

    def record(self, *command, **more):
        """Run the command; returns its subprocess.CompletedProcess."""
        log = self.place.parent / "powercut.trace"
        tracer = ["strace", "-f", "-xx", "-s", LONGEST, "-e", "signal=none", "-e", f"trace={','.join(TRACED)}", "-o", log]
        done = subprocess.run(list(map(str, [*tracer, *command])), cwd=self.place, capture_output=True, **more)
        found = (CALL.match(line) for line in join_pieces(log.read_text().splitlines()))
        self.runs.append([(call[1], call[2], int(call[3], 0)) for call in found if call and not call[3].startswith("-")])
        log.unlink()
        return done

    def cut(self, folder):
        """
        The folder as a cut leaves it, for each point and each way; where it is as it was at another point, and
        no less had been promised there, it is not shown again.
        """
        seen, folder = set(), pathlib.Path(folder)
        for point in self._points():
            for point.state, tree in self._states(random.Random(self.points)):
                self.points += 1
                key = point.ended, point.said, key_of(tree)
                if key not in seen:
                    seen.add(key)
                    shutil.rmtree(folder, ignore_errors=True)
                    write_tree(folder, tree)
                    yield point
        self.states = len(seen)

    def _points(self):
        said = b""
        for ended, calls in enumerate(self.runs):
            self.open = {}
            for name, arguments, result in calls:
                before = self._mark()
                sync = self._do(name, arguments, result)
                if name == "write" and arguments.startswith("1,"):
                    said += b"".join(bytes_in(arguments))
                if self._mark() != before or sync:
                    yield Point(f"within {name}, run {ended}", ended, said)
                if sync:
                    sync()
                    yield Point(f"after {name}, run {ended}", ended, said)
            yield Point(f"at the end of run {ended}", ended + 1, said)

    def _mark(self):
        """Differs where anything that is not durable was added."""
        return len(self.names), self.written, self.written and len(self.written.pending)

    def _states(self, pick):
        """What a cut can leave now: (which way, the tree)."""
        def last(file):
            return file.pending[-1] if file is self.written else None

        yield "dropped", self.tree(names=False, file=lambda f: torn(f.durable, last(f), first=True))
        yield "names", self.tree(names=True, file=lambda f: torn(f.durable, last(f), first=False))
        yield "zeros", self.tree(names=True, file=sized)
        yield "some", self.tree(names=pick.random, file=lambda f: some(f, pick))

    def tree(self, names, file):
        """The folder with what `file` gives for each file; `names`: those that are not durable, too, or a choice."""
        pending = [change for change in self.names if (names() < 0.5 if callable(names) else names)]

        def show(node):
            if isinstance(node, File):
                return file(node)
            entries = dict(node.durable)
            for change in pending:
                for folder, name, to in change:
                    if folder is node:
                        entries[name] = to
            return {name: show(to) for name, to in entries.items() if to is not None}

        return show(self.root)

    # -- the calls

    def _folder_of(self, at, path):
        """(folder, last name) of a path, or None outside of ours."""
        path = path.decode()
        if at == "AT_FDCWD" or path.startswith("/"):
            path = os.path.normpath(self.place / path)
            if path != str(self.place) and not path.startswith(f"{self.place}/"):
                return None
            folder, path = self.root, path[len(str(self.place)):].lstrip("/")
        elif int(at) in self.open:
            folder = self.open[int(at)].node
        else:
            return None
        *way, last = [word for word in path.split("/") if word not in ("", ".")] or ["."]
        for word in way:
            folder = folder.now[word]
        return folder, last

    def _rename_nodes(self, *change):
        for folder, name, to in change:
            folder.now[name] = to
            if to is None:
                del folder.now[name]
        self.names.append(list(change))

    def _sync_folder(self, folder):
        left = []
        for change in self.names:
            if not any(entry[0] is folder for entry in change):
                left.append(change)
                continue
            for at, name, to in change:
                at.durable[name] = to
        self.names = left
        folder.durable = {name: to for name, to in folder.durable.items() if to is not None}

    def _sync(self, node):
        def sync():
            if isinstance(node, Folder):
                self._sync_folder(node)
            else:
                node.sync()
                self.written = None if self.written is node else self.written
        return sync

    def _change(self, file, at, data):
        file.change(at, data)
        self.written = file

    def _do(self, name, arguments, result):
        """What the call did; returns what makes it durable, where it does that."""
        words = arguments.split(", ")
        if name in ("fsync", "fdatasync", "write", "writev", "pwrite64", "pwritev", "pwritev2", "ftruncate", "fallocate", "lseek",
                    "copy_file_range", "sync_file_range"):
            known = self.open.get(int(words[0]))
            return getattr(self, f"_{name}", self._unknown)(known, words, arguments, result) if known else None
        if name in UNKNOWN:
            raise NotImplementedError(f"{name}({arguments[:200]})")
        if name in WITHOUT_FOLDER:
            name = WITHOUT_FOLDER[name]
            words = [part for word in words for part in (["AT_FDCWD", word] if word.startswith('"') else [word])]
        return getattr(self, f"_{name}", lambda *_: None)(words, arguments, result)

    @staticmethod
    def _unknown(known, words, arguments, result):
        raise NotImplementedError(arguments[:200])

    def _openat(self, words, arguments, result):
        place = self._folder_of(words[0], bytes_in(words[1])[0])
        self.open.pop(result, None)
        if place is None:
            return
        folder, last = place
        node, flags = folder if last == "." else folder.now.get(last), words[2].split("|")
        if node is None and "O_CREAT" in flags:
            node = File()
            self._rename_nodes((folder, last, node))
        elif "O_TRUNC" in flags and len(node.now):
            self._change(node, 0, None)
        self.open[result] = Open(node, "O_DSYNC" in flags or "O_SYNC" in flags)
        assert "O_APPEND" not in flags and "O_TMPFILE" not in flags, arguments

    def _close(self, words, arguments, result):
        self.open.pop(int(words[0]), None)

    def _fcntl(self, words, arguments, result):
        if words[1] in ("F_DUPFD", "F_DUPFD_CLOEXEC"):
            self._dup(words, arguments, result)

    def _dup(self, words, arguments, result):
        if int(words[0]) in self.open:
            self.open[result] = self.open[int(words[0])]

    _dup2 = _dup3 = _dup

    def _mmap(self, words, arguments, result):
        known = self.open.get(int(words[4]))
        if known and "MAP_SHARED" in words[3] and "PROT_WRITE" in words[2]:
            names = {name for name, node in self._files(self.root) if node is known.node}
            assert names <= NO_MATTER, f"{names} may change without a call"

    def _files(self, folder):
        for name, node in folder.now.items():
            yield name, node
            if isinstance(node, Folder):
                yield from self._files(node)

    def _lseek(self, known, words, arguments, result):
        known.at = result

    def _write_at(self, known, at, data, result):
        data = data[:result]
        self._change(known.node, at, data)
        return self._sync(known.node) if known.synced else None

    def _write(self, known, words, arguments, result):
        known.at += result
        return self._write_at(known, known.at - result, b"".join(bytes_in(arguments)), result)

    _writev = _write

    def _pwrite64(self, known, words, arguments, result):
        return self._write_at(known, int(words[-1]), b"".join(bytes_in(arguments)), result)

    _pwritev = _pwrite64

    def _ftruncate(self, known, words, arguments, result):
        if int(words[1]) != len(known.node.now):
            self._change(known.node, int(words[1]), None)

    def _fallocate(self, known, words, arguments, result):
        at, length = int(words[2]), int(words[3])
        if "FALLOC_FL_PUNCH_HOLE" in words[1]:
            length = min(length, len(known.node.now) - at)
            if length > 0:
                self._change(known.node, at, bytes(length))
        elif words[1] == "0" and at + length > len(known.node.now):
            self._change(known.node, at + length, None)

    def _fsync(self, known, words, arguments, result):
        return self._sync(known.node)

    _fdatasync = _fsync

    def _mkdirat(self, words, arguments, result):
        place = self._folder_of(words[0], bytes_in(words[1])[0])
        if place:
            self._rename_nodes((*place, Folder()))

    def _unlinkat(self, words, arguments, result):
        place = self._folder_of(words[0], bytes_in(words[1])[0])
        if place:
            self._rename_nodes((*place, None))

    def _renameat(self, words, arguments, result):
        old, new = (self._folder_of(words[i], bytes_in(words[i + 1])[0]) for i in (0, 2))
        if old and new:
            node, other = old[0].now[old[1]], new[0].now.get(new[1])
            exchange = "RENAME_EXCHANGE" in words[-1]
            self._rename_nodes((*old, other if exchange else None), (*new, node))

    _renameat2 = _renameat


def join_pieces(lines):
    """Calls that others ran into come in two pieces: whole lines, each where its call ended."""
    begun = {}
    for line in lines:
        thread, _, text = line.partition(" ")
        if line.endswith(" <unfinished ...>"):
            begun[thread] = line.removesuffix(" <unfinished ...>")
        elif text.lstrip().startswith("<... "):
            yield begun.pop(thread) + text.partition(" resumed>")[2]
        else:
            yield line
