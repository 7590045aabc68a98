/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests, in a program of its own (volt-escape): a volt-vmm in which one thread is captured.
 * Once it is confined it does what VOLT_ESCAPE=THREAD:ATTACK says, and tells what came of it; the
 * other VOLT_ESCAPE_* variables name what it attacks. tests/integration/test_escape.py has the
 * table of who stops what.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/futex.h>
#include <linux/keyctl.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "vmm/sandbox/aids.h"

/* What begin() has found in the environment. */
static struct {
	char thread[16], attack[32];
	pid_t victim;
	int port, descriptor; /* of the disk, which it inherits */
	ino_t disk;
	char file[256], abstract[64];
	const char *secret; /* where it was */
	char copy[64];
} target;

static void copy(char *to, size_t size, const char *name)
{
	const char *from = getenv(name);

	(void)snprintf(to, size, "%s", from != NULL ? from : "");
}

static int number(const char *name)
{
	const char *text = getenv(name);

	return text != NULL ? (int)strtol(text, NULL, 10) : -1;
}

static void begin(void)
{
	char both[64], *colon;
	struct stat st;

	copy(both, sizeof(both), "VOLT_ESCAPE");
	colon = strchr(both, ':');
	if (colon == NULL)
		return;
	(void)snprintf(target.thread, sizeof(target.thread), "%.*s", (int)(colon - both), both);
	(void)snprintf(target.attack, sizeof(target.attack), "%s", colon + 1);
	target.victim = number("VOLT_ESCAPE_PID");
	target.port = number("VOLT_ESCAPE_PORT");
	target.descriptor = number("VOLT_ESCAPE_FD");
	target.disk = fstat(target.descriptor, &st) == 0 ? st.st_ino : 0;
	copy(target.file, sizeof(target.file), "VOLT_ESCAPE_FILE");
	copy(target.abstract, sizeof(target.abstract), "VOLT_ESCAPE_SOCKET");
	target.secret = getenv("VOLT_ESCAPE_SECRET");
	copy(target.copy, sizeof(target.copy), "VOLT_ESCAPE_SECRET");
}

/* --- the attacks: -1 and errno, or what the kernel gave --- */

static long do_execve(void)
{
	static const char script[] = "echo escape: execve=done >&2; exit 77";
	char *const argv[] = {(char *)"sh", (char *)"-c", (char *)(uintptr_t)script, NULL};

	return execve("/bin/sh", argv, NULL);
}

static long do_open(void)
{
	return open("/etc/passwd", O_RDONLY);
}

static long do_open_relative(void)
{
	return open("../../../../../../etc/passwd", O_RDONLY);
}

/* The main thread may, for --live-dir: so another layer must stop it. */
static long do_openat2(void)
{
	struct open_how how = {.flags = O_RDONLY};

	return syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", &how, sizeof(how));
}

/* The same, up from a folder that it holds. */
static long do_openat2_up(void)
{
	struct open_how how = {.flags = O_RDONLY};
	char path[256] = "";
	struct stat st;
	int error = ENOTDIR;

	for (int i = 0; i < 32; i++)
		strcat(path, "../");
	strcat(path, "etc/passwd");
	for (int fd = 3; fd < 256; fd++) {
		if (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode))
			continue;
		if (syscall(SYS_openat2, fd, path, &how, sizeof(how)) >= 0)
			return 0;
		error = errno;
	}
	errno = error;
	return -1;
}

/* Beneath a folder that it was given. */
static long do_open_beneath(void)
{
	return openat(STDIN_FILENO, "passwd", O_RDONLY);
}

static long do_create(void)
{
	return open(target.file, O_RDWR | O_CREAT, 0600);
}

static long do_unlink(void)
{
	return unlink(target.file);
}

static long do_proc_self_mem(void)
{
	return open("/proc/self/mem", O_RDWR);
}

static long do_mknod(void)
{
	return mknod("/null", S_IFCHR | 0600, 0x103);
}

static long do_ptrace(void)
{
	return ptrace(PTRACE_SEIZE, target.victim, NULL, NULL);
}

static long do_process_vm_readv(void)
{
	char byte;
	struct iovec local = {&byte, 1}, remote = {(void *)0x400000, 1};

	/* Nothing need be there: who may look is asked first. */
	return process_vm_readv(target.victim, &local, 1, &remote, 1, 0) < 0 && errno != EFAULT ? -1
												: 0;
}

static long do_pidfd_getfd(void)
{
	int fd = (int)syscall(SYS_pidfd_open, target.victim, 0);

	return fd < 0 ? -1 : syscall(SYS_pidfd_getfd, fd, 0, 0);
}

static long do_kill(void)
{
	return kill(target.victim, SIGUSR1);
}

static long do_tgkill(void)
{
	return syscall(SYS_tgkill, target.victim, target.victim, SIGUSR1);
}

static long connect_to(int fd, const void *address, size_t len)
{
	return fd < 0 ? -1 : connect(fd, address, (socklen_t)len);
}

static long do_tcp(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)target.port),
				 .sin_addr = {htonl(INADDR_LOOPBACK)}};

	return connect_to(socket(AF_INET, SOCK_STREAM, 0), &to, sizeof(to));
}

static long do_abstract_socket(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len = strlen(target.abstract);

	memcpy(to.sun_path + 1, target.abstract, len);
	return connect_to(socket(AF_UNIX, SOCK_STREAM, 0), &to,
			  offsetof(struct sockaddr_un, sun_path) + 1 + len);
}

static long do_packet_socket(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0);
}

static long do_mount(void)
{
	return mount("none", "/", "tmpfs", 0, NULL);
}

static long do_umount(void)
{
	return umount2("/", MNT_DETACH);
}

static long do_chroot(void)
{
	return chroot("/");
}

static long do_unshare(void)
{
	return unshare(CLONE_NEWUTS);
}

/* Of a child, for only a process with one thread may. */
static long do_user_namespace(void)
{
	return syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL);
}

static long do_fork(void)
{
	return syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static long do_bpf(void)
{
	union bpf_attr a = {
		.map_type = BPF_MAP_TYPE_HASH, .key_size = 4, .value_size = 4, .max_entries = 1};

	return syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof(a));
}

static long do_userfaultfd(void)
{
	return syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */);
}

static long do_keyctl(void)
{
	return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1);
}

static long do_io_uring_setup(void)
{
	char params[120] = {0};

	return syscall(SYS_io_uring_setup, 1, params);
}

static long do_memfd(void)
{
	return memfd_create("x", 0);
}

static long do_map_executable(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}

static long do_protect_executable(void)
{
	static char page[8192] __attribute__((aligned(4096)));

	return mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static long do_dup(void)
{
	return fcntl(STDERR_FILENO, F_DUPFD, 0);
}

static long do_descriptors(void)
{
	struct rlimit most = {65536, 65536};

	return setrlimit(RLIMIT_NOFILE, &most);
}

static long do_stray(void)
{
	struct stat st;

	/* Its number may be another's by now. */
	errno = EBADF;
	return fstat(target.descriptor, &st) == 0 && st.st_ino == target.disk ? 0 : -1;
}

static long do_environment(void)
{
	errno = ENODATA;
	return target.secret != NULL && strcmp(target.secret, target.copy) == 0 ? 0 : -1;
}

/* Behind the end of the disk, through the descriptor that a worker writes it by. */
static long do_grow_disk(void)
{
	struct iovec byte = {(void *)(uintptr_t) "x", 1};
	struct stat st;

	for (int fd = 3; fd < 256; fd++)
		if (fd != target.descriptor && fstat(fd, &st) == 0 && st.st_ino == target.disk)
			return pwritev2(fd, &byte, 1, 1LL << 32, 0);
	errno = ENOTTY;
	return -1;
}

static long do_dumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static long do_setgroups(void)
{
	return syscall(SYS_setgroups, 0, NULL);
}

static long do_hostname(void)
{
	return sethostname("x", 1);
}

static long do_clock(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return clock_settime(CLOCK_REALTIME, &now);
}

static long do_ioctl(void)
{
	return ioctl(STDERR_FILENO, FIONCLEX);
}

static long do_other_abi(void)
{
	long r;

	/* getpid() of the i386 table, whose numbers mean other calls here. */
	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(20)
			 : "memory", "cc", "r8", "r9", "r10", "r11");
	return r;
}

#define ATTACK(name)             \
	{                        \
#name, do_##name \
	}

static const struct {
	const char *name;
	long (*run)(void);
} attacks[] = {
	ATTACK(execve),
	ATTACK(open),
	ATTACK(open_relative),
	ATTACK(open_beneath),
	ATTACK(openat2),
	ATTACK(openat2_up),
	ATTACK(create),
	ATTACK(unlink),
	ATTACK(proc_self_mem),
	ATTACK(mknod),
	ATTACK(ptrace),
	ATTACK(process_vm_readv),
	ATTACK(pidfd_getfd),
	ATTACK(kill),
	ATTACK(tgkill),
	ATTACK(tcp),
	ATTACK(abstract_socket),
	ATTACK(packet_socket),
	ATTACK(mount),
	ATTACK(umount),
	ATTACK(chroot),
	ATTACK(unshare),
	ATTACK(user_namespace),
	ATTACK(fork),
	ATTACK(bpf),
	ATTACK(userfaultfd),
	ATTACK(keyctl),
	ATTACK(io_uring_setup),
	ATTACK(memfd),
	ATTACK(map_executable),
	ATTACK(protect_executable),
	ATTACK(dup),
	ATTACK(descriptors),
	ATTACK(stray),
	ATTACK(environment),
	ATTACK(grow_disk),
	ATTACK(dumpable),

	ATTACK(setgroups),
	ATTACK(hostname),
	ATTACK(clock),
	ATTACK(ioctl),
	ATTACK(other_abi),
};

/* One of several workers is enough. */
static atomic_flag captured = ATOMIC_FLAG_INIT;

static void entered(enum sandbox_thread thread)
{
	static const char *const names[] = {"main", "vcpu", "worker", "snapshot", "waiting"};
	_Static_assert(ARRAY_LEN(names) == SANDBOX_THREADS, "every thread has a name");
	char line[128];
	int n;

	if (strcmp(target.thread, names[thread]) != 0 || atomic_flag_test_and_set(&captured))
		return;
	for (size_t i = 0; i < ARRAY_LEN(attacks); i++) {
		long r;

		if (strcmp(attacks[i].name, target.attack) != 0)
			continue;
		r = attacks[i].run();
		n = snprintf(line, sizeof(line), "escape: %s=%s\n", target.attack,
			     r < 0 ? strerrorname_np(errno) : "done");
		(void)!write(STDERR_FILENO, line, (size_t)n);
		_exit(77);
	}
}

static const struct sandbox_filter *filters(void)
{
	return filters_kill;
}

const struct sandbox_aids sandbox_aids = {.filters = filters, .begin = begin, .entered = entered};
