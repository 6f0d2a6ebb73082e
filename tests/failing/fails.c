/* Runs a program whose N-th operation on the files below a folder fails, or all from that one on. The kernel asks this
 * process before each of them (seccomp, user notification: Linux 5.5 and later), so nothing in the program has to know,
 * and no way around a library is missed.
 *
 * usage: fails writes|reads N once|on ERRNO FOLDER LOG SECONDS PROGRAM [ARGUMENT...]
 *
 * Asked is for the calls in CALLS: opening, making, writing, cutting, syncing, renaming, linking and removing, modes, and
 * reading. Not asked: what only looks (stat, access, readlink), lseek, locks, close, times and attributes, mmap and what is
 * read or written through it, io_uring.
 *
 * LOG gets a line for each operation: its number, whether it passed, its name, its path, and where it goes to.
 * The exit status is that of the program; 124 where it took longer than SECONDS, 125 where the kernel does not do this.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "which architecture is this?"
#endif

#define LONGEST (2 * PATH_MAX)

/* Where a call says which file it is about: `fd` and `path` are the numbers of arguments, from 0; -1 is none. A `path`
 * without an `fd` begins in the working directory. */
struct call {
    int number;
    const char *name;
    int reads, fd, path, to_fd, to_path;
};

static const struct call CALLS[] = {
#ifdef SYS_open
    {SYS_open, "open", 0, -1, 0, -1, -1},
    {SYS_creat, "creat", 0, -1, 0, -1, -1},
    {SYS_rename, "rename", 0, -1, 0, -1, 1},
    {SYS_mkdir, "mkdir", 0, -1, 0, -1, -1},
    {SYS_rmdir, "rmdir", 0, -1, 0, -1, -1},
    {SYS_unlink, "unlink", 0, -1, 0, -1, -1},
    {SYS_link, "link", 0, -1, 0, -1, 1},
    {SYS_symlink, "symlink", 0, -1, 1, -1, -1},
    {SYS_chmod, "chmod", 0, -1, 0, -1, -1},
#endif
#ifdef SYS_renameat
    {SYS_renameat, "renameat", 0, 0, 1, 2, 3},
#endif
    {SYS_openat, "openat", 0, 0, 1, -1, -1},
#ifdef SYS_openat2
    {SYS_openat2, "openat2", 0, 0, 1, -1, -1},
#endif
    {SYS_renameat2, "renameat2", 0, 0, 1, 2, 3},
    {SYS_mkdirat, "mkdirat", 0, 0, 1, -1, -1},
    {SYS_unlinkat, "unlinkat", 0, 0, 1, -1, -1},
    {SYS_linkat, "linkat", 0, 0, 1, 2, 3},
    {SYS_symlinkat, "symlinkat", 0, 1, 2, -1, -1},
    {SYS_fchmod, "fchmod", 0, 0, -1, -1, -1},
    {SYS_fchmodat, "fchmodat", 0, 0, 1, -1, -1},
#ifdef SYS_fchmodat2
    {SYS_fchmodat2, "fchmodat2", 0, 0, 1, -1, -1},
#endif
    {SYS_write, "write", 0, 0, -1, -1, -1},
    {SYS_writev, "writev", 0, 0, -1, -1, -1},
    {SYS_pwrite64, "pwrite64", 0, 0, -1, -1, -1},
    {SYS_pwritev, "pwritev", 0, 0, -1, -1, -1},
    {SYS_pwritev2, "pwritev2", 0, 0, -1, -1, -1},
    {SYS_copy_file_range, "copy_file_range", 0, 2, -1, -1, -1},
    {SYS_sendfile, "sendfile", 0, 0, -1, -1, -1},
    {SYS_truncate, "truncate", 0, -1, 0, -1, -1},
    {SYS_ftruncate, "ftruncate", 0, 0, -1, -1, -1},
    {SYS_fallocate, "fallocate", 0, 0, -1, -1, -1},
    {SYS_fsync, "fsync", 0, 0, -1, -1, -1},
    {SYS_fdatasync, "fdatasync", 0, 0, -1, -1, -1},
    {SYS_read, "read", 1, 0, -1, -1, -1},
    {SYS_readv, "readv", 1, 0, -1, -1, -1},
    {SYS_pread64, "pread64", 1, 0, -1, -1, -1},
    {SYS_preadv, "preadv", 1, 0, -1, -1, -1},
    {SYS_preadv2, "preadv2", 1, 0, -1, -1, -1},
    {SYS_getdents64, "getdents64", 1, 0, -1, -1, -1},
};
#define COUNT (sizeof CALLS / sizeof *CALLS)

static void die(const char *what) {
    fprintf(stderr, "fails: %s: %s\n", what, strerror(errno));
    exit(125);
}

/* Lets the kernel ask before each of the calls; returns where it does. */
static int filter(void) {
    struct sock_filter code[COUNT + 6], *at = code;
    *at++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    *at++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 0, COUNT + 1);
    *at++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < COUNT; i++)
        *at++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CALLS[i].number, COUNT - i, 0);
    *at++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    *at++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    struct sock_fprog program = {(unsigned short)(at - code), code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) die("no new privileges");
    int listener = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
    if (listener < 0) die("seccomp");
    return listener;
}

union control {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr header;
};

static struct msghdr message(union control *control, struct iovec *data) {
    return (struct msghdr){.msg_iov = data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof *control};
}

static void send_descriptor(int socket, int descriptor) {
    union control control = {0};
    char byte = 0;
    struct iovec data = {&byte, 1};
    struct msghdr sent = message(&control, &data);
    struct cmsghdr *header = CMSG_FIRSTHDR(&sent);
    header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS, header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    if (sendmsg(socket, &sent, 0) < 0) die("sendmsg");
}

static int receive_descriptor(int socket) {
    union control control = {0};
    char byte;
    struct iovec data = {&byte, 1};
    struct msghdr got = message(&control, &data);
    int descriptor;
    if (recvmsg(socket, &got, 0) <= 0 || !CMSG_FIRSTHDR(&got)) exit(125);
    memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&got)), sizeof descriptor);
    return descriptor;
}

/* What a link below /proc says. */
static void follow(char *found, const char *format, int process, int number) {
    char link[64];
    snprintf(link, sizeof link, format, process, number);
    ssize_t length = readlink(link, found, PATH_MAX - 1);
    found[length < 0 ? 0 : length] = 0;
}

/* The path that two arguments of a call name. */
static void name(char *found, const struct seccomp_notif *asked, int fd, int path) {
    char base[PATH_MAX] = "", rest[PATH_MAX] = "";
    int process = asked->pid, number = fd < 0 ? AT_FDCWD : (int)asked->data.args[fd];
    if (path >= 0) {
        struct iovec here = {rest, sizeof rest - 1}, there = {(void *)asked->data.args[path], sizeof rest - 1};
        /* The end of the page may be the end of the memory. */
        size_t left = 4096 - (asked->data.args[path] & 4095);
        if (process_vm_readv(process, &here, 1, &there, 1, 0) < 0) {
            there.iov_len = left;
            if (process_vm_readv(process, &here, 1, &there, 1, 0) < 0) rest[0] = 0;
        }
    }
    if (rest[0] != '/') {
        if (number == AT_FDCWD) follow(base, "/proc/%d/cwd", process, 0);
        else follow(base, "/proc/%d/fd/%d", process, number);
    }
    snprintf(found, LONGEST, "%s%s%s", base, base[0] && rest[0] ? "/" : "", rest);
}

/* Whether a file is opened to be read alone. */
static int only_reads(const struct seccomp_notif *asked, const struct call *call) {
    uint64_t flags = asked->data.args[call->path + 1];
    if (!strcmp(call->name, "openat2")) { /* They are the first member of what it points to. */
        struct iovec here = {&flags, sizeof flags}, there = {(void *)flags, sizeof flags};
        if (process_vm_readv(asked->pid, &here, 1, &there, 1, 0) < 0) return 0;
    } else if (strcmp(call->name, "open") && strcmp(call->name, "openat")) {
        return call->reads;
    }
    return (flags & O_ACCMODE) == O_RDONLY && !(flags & (O_CREAT | O_TRUNC));
}

static pid_t child;
static void too_long(int signal) {
    (void)signal;
    kill(child, SIGKILL);
    _exit(124);
}

int main(int count, char **words) {
    if (count < 9) return fprintf(stderr, "usage: fails writes|reads N once|on ERRNO FOLDER LOG SECONDS PROGRAM...\n"), 125;
    int reads = !strcmp(words[1], "reads"), goes_on = !strcmp(words[3], "on"), error = atoi(words[4]);
    long first = atol(words[2]), seen = 0;
    const char *folder = words[5];
    size_t length = strlen(folder);
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets)) die("socketpair");
    FILE *log = fopen(words[6], "we");
    if (!log) die(words[6]);
    if ((child = fork()) == 0) {
        int listener = filter();
        send_descriptor(sockets[1], listener);
        close(listener);
        execvp(words[8], words + 8);
        _exit(125);
    }
    close(sockets[1]);
    int listener = receive_descriptor(sockets[0]);
    signal(SIGALRM, too_long);
    alarm(atoi(words[7]));
    for (;;) {
        struct pollfd wait = {listener, POLLIN, 0};
        if (poll(&wait, 1, -1) < 0 && errno == EINTR) continue;
        if (!(wait.revents & POLLIN)) break; /* Nobody is left who could ask. */
        struct seccomp_notif asked = {0};
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked)) continue;
        struct seccomp_notif_resp answer = {.id = asked.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
        const struct call *call = CALLS;
        while (call->number != asked.data.nr) call++;
        char path[LONGEST] = "", to[LONGEST] = "";
        if (only_reads(&asked, call) == reads) {
            name(path, &asked, call->fd, call->path);
            if (call->to_path >= 0) name(to, &asked, call->to_fd, call->to_path);
        }
        if (!strncmp(path, folder, length) || (to[0] && !strncmp(to, folder, length))) {
            int fails = seen == first || (goes_on && seen > first);
            if (fails) answer.flags = 0, answer.error = -error;
            fprintf(log, "%ld\t%s\t%s\t%s\t%s\n", seen++, fails ? "failed" : "passed", call->name, path, to);
            fflush(log);
        }
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    if (WIFSIGNALED(status)) {
        signal(WTERMSIG(status), SIG_DFL);
        raise(WTERMSIG(status));
    }
    return WEXITSTATUS(status);
}
