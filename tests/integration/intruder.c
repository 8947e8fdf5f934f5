// Loaded into a running atlsd by a test: tries, once it serves, what an intruder would, and prints the
// errno of each attempt (0: it succeeded).
#define _GNU_SOURCE
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char* what, int failed) {
  dprintf(2, "intruder: %s = %d\n", what, failed ? errno : 0);
}

static int opens(const char* path, int flags) {
  int fd = open(path, flags, 0600);
  if (fd >= 0) {
    close(fd);
  }
  return fd < 0;
}

static void* intrude(void* unused) {
  (void)unused;
  sleep(2);
  say("read another file", opens(getenv("INTRUDER_SECRET"), O_RDONLY));
  say("read its configuration", opens(getenv("INTRUDER_CONFIG"), O_RDONLY));
  say("write its configuration", opens(getenv("INTRUDER_CONFIG"), O_WRONLY));
  say("make a file in /opt", opens("/opt/atlsd-intruder", O_WRONLY | O_CREAT));
  say("list /root", opendir("/root") == NULL);
  char* const arguments[] = {"/bin/true", NULL};
  say("execute a program", execve("/bin/true", arguments, NULL));
  say("fork", (int)syscall(SYS_fork) < 0);
  say("trace", (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0);
  say("kill another", kill(getppid(), 0));
  say("mount", mount("none", "/opt", "tmpfs", 0, NULL));
  say("load a module", (int)syscall(SYS_init_module, NULL, 0, "") < 0);
  say("raw socket", socket(AF_INET, SOCK_RAW, 1) < 0);
  dprintf(2, "intruder: dumpable = %d\n", prctl(PR_GET_DUMPABLE));
  dprintf(2, "intruder: end\n");
  return NULL;
}

// Called by atlsd's start, after Landlock: the first thread it makes is followed by ours.
int pthread_create(pthread_t* made, const pthread_attr_t* attributes, void* (*run)(void*), void* argument) {
  extern void* dlsym(void*, const char*);
  static int (*genuine)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static int is_in;
  if (!genuine) {
    *(void**)&genuine = dlsym((void*)-1L, "pthread_create");
  }
  if (!is_in) {
    is_in = 1;
    pthread_t ours;
    genuine(&ours, NULL, intrude, NULL);
  }
  return genuine(made, attributes, run, argument);
}
