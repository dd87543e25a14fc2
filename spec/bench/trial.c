/* SPDX-License-Identifier: MIT
 *
 * trial.c - makes the load, runs one consumer under it, and meters that consumer from outside.
 *
 *     trial tree DIR DIRECTORIES FILES          makes a tree, ten children to a directory, names of 16 bytes
 *     trial prepare DIR KIND FILES SPREAD       what must be there before the work of one round
 *     trial load DIR KIND FILES SPREAD          the work of one round, and no consumer
 *     trial burst DIR KIND FILES ROUNDS SPREAD -- COMMAND...
 *     trial setup ROUNDS -- COMMAND...
 *     trial idle SECONDS -- COMMAND...
 *     trial latency DIR ROUNDS GAP -- COMMAND...      GAP: seconds of rest before each write
 *
 * A consumer says "ready" on a line of its own output when all is watched. In a burst it is stopped while the load is
 * made, so that it meets a full queue, and goes on until it has said "end-N COUNT": how many events came before the
 * link of that name. Programs that know nothing of this are told apart by the environment:
 *
 *     LINES=1      it prints a line per event: the lines are counted here
 *     READY=word   what it says when it is ready; READY= (empty): nothing, it is ready when it rests
 *     SETTLES=1    it says so too early: it is ready when it rests after that
 *     RESTS=1      it says nothing about events: a round ends when it rests, and the count is 0
 *
 * A process rests when its CPU clock stood still for 0.4 s. The CPU time is that of the whole process,
 * read from its clock at the kernel: no start-up, no other process.
 *
 * KIND: files   create, close after writing, delete: 3 records a file
 *       moves   the same with a rename between: 5 records a file
 *       new     create and close after writing, and no more: 2 records a file
 *       saves   a byte into each of so many files, which are there from the start: 2 records a file (MODIFY, CLOSE_WRITE)
 *       out     each of so many files, which are there from the start, moved to a folder that nobody watches, DIR-outside:
 *               1 record a file
 *       in      and the other way round
 *       within  each gets another name in its directory: 2 records a file
 *       renames a directory `moving-0`, with all that is below it, gets another name: 2 records each
 * SPREAD: in how many directories of a tree made by `trial tree` the work is done; 0: in DIR itself.
 *
 * Printed is a line per round: burst: ns of CPU, count; setup: ns of CPU, ns of wall clock, KiB of anonymous and of
 * resident memory; idle: wake-ups, ns of CPU; latency: ns from before the write until the consumer's own time stamp.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FAN_OUT = 10, PATH_LENGTH = 4096 };

typedef struct Consumer {
	pid_t pid;
	int in; /* nothing comes, and no end: whoever reads waits until it is killed */
	FILE *out;
	clockid_t clock;
} Consumer;

static void die(const char *what)
{
	fprintf(stderr, "trial: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t read_clock(clockid_t clock)
{
	struct timespec t;
	if (clock_gettime(clock, &t) < 0)
		die("clock");
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* --- the tree ------------------------------------------------------------------------------------------------- */

/* The path of the n-th directory: the 0th is the root, the children of n are 10 n + 1 ... 10 n + 10. */
static size_t directory_path(char *path, const char *root, long n)
{
	if (n == 0)
		return (size_t)snprintf(path, PATH_LENGTH, "%s", root);
	size_t length = directory_path(path, root, (n - 1) / FAN_OUT);
	return length + (size_t)snprintf(path + length, PATH_LENGTH - length, "/directory-%06ld", n);
}

static void make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		die(path);
	close(fd);
}

static void make_tree(const char *root, long directories, long files)
{
	char path[PATH_LENGTH];
	for (long n = 0; n < directories; n++) {
		size_t length = directory_path(path, root, n);
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			die(path);
		for (long file = n; file < files; file += directories) {
			snprintf(path + length, PATH_LENGTH - length, "/file-%011ld", file);
			make_file(path);
		}
	}
}

/* --- the consumer --------------------------------------------------------------------------------------------- */

/* Reads lines until one begins with `word` (or, of a line printer, holds it); returns how many did not. The number that
 * follows the word, if any, goes to *number. */
static long wait_for_line(Consumer *consumer, const char *word, bool anywhere, long *number)
{
	static char line[3 * PATH_LENGTH];
	long others = 0;
	while (fgets(line, sizeof line, consumer->out) != NULL) {
		const char *found = strstr(line, word);
		if (found != NULL && (anywhere || found == line)) {
			if (number != NULL)
				sscanf(found + strlen(word), " %ld", number);
			return others;
		}
		others++;
	}
	fprintf(stderr, "trial: the consumer ended before it said \"%s\"\n", word);
	exit(1);
}

static void nap(double seconds)
{
	time_t whole = (time_t)seconds;
	struct timespec t = {.tv_sec = whole, .tv_nsec = (long)((seconds - (double)whole) * 1e9)};
	nanosleep(&t, NULL);
}

static void wait_for_rest(clockid_t clock)
{
	int64_t before, now = read_clock(clock);
	do {
		before = now;
		nap(0.4);
		now = read_clock(clock);
	} while (now - before > 300000 || now == 0); /* a timer of its own may tick */
}

static Consumer start_consumer(char **argv)
{
	int ends[2], silence[2];
	Consumer consumer;
	if (pipe2(ends, O_CLOEXEC) < 0 || pipe2(silence, O_CLOEXEC) < 0)
		die("pipe");
	consumer.pid = fork();
	if (consumer.pid == 0) {
		dup2(silence[0], STDIN_FILENO);
		dup2(ends[1], STDOUT_FILENO);
		execvp(argv[0], argv);
		die(argv[0]);
	}
	const char *ready = getenv("READY");
	close(ends[1]);
	close(silence[0]);
	consumer.in = silence[1];
	consumer.out = fdopen(ends[0], "r");
	if (clock_getcpuclockid(consumer.pid, &consumer.clock) != 0)
		die("clock of the consumer");
	if (ready == NULL || ready[0] != '\0')
		wait_for_line(&consumer, ready == NULL ? "ready" : ready, true, NULL);
	if (getenv("SETTLES") != NULL || (ready != NULL && ready[0] == '\0'))
		wait_for_rest(consumer.clock);
	return consumer;
}

static void end_consumer(Consumer *consumer)
{
	kill(consumer->pid, SIGKILL);
	waitpid(consumer->pid, NULL, 0);
	close(consumer->in);
	fclose(consumer->out);
}

static void stop(Consumer *consumer)
{
	int status;
	kill(consumer->pid, SIGSTOP);
	if (waitpid(consumer->pid, &status, WUNTRACED) < 0 || !WIFSTOPPED(status))
		die("the consumer did not stop");
}

/* --- trials --------------------------------------------------------------------------------------------------- */

typedef enum Kind { FILES, MOVES, NEW, SAVES, OUT, IN, WITHIN, RENAMES, KIND_COUNT } Kind;

static Kind kind_of(const char *word)
{
	static const char *const words[] = {
		"files", "moves", "new", "saves", "out", "in", "within", "renames"};
	for (int i = 0; i < KIND_COUNT; i++)
		if (strcmp(word, words[i]) == 0)
			return (Kind)i;
	errno = EINVAL;
	die(word);
	return FILES;
}

/* Where the i-th file of the work lies; returns the length of its directory's path. */
static size_t work_path(char *path, const char *root, long spread, long i)
{
	size_t length = directory_path(path, root, spread > 0 ? (i * 7919) % spread : 0);
	snprintf(path + length, PATH_LENGTH - length, "/save-%011ld", i);
	return length;
}

static void save(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, "x", 1) != 1)
		die(path);
	close(fd);
}

static void pass_through(const char *root, Kind kind, long spread, long round, long i)
{
	char path[PATH_LENGTH], other[PATH_LENGTH];
	size_t length = work_path(path, root, spread, i);
	memcpy(other, path, length);
	snprintf(path + length, PATH_LENGTH - length, "/work-%03ld-%07ld", round % 1000, i);
	snprintf(other + length, PATH_LENGTH - length, "/done-%03ld-%07ld", round % 1000, i);
	make_file(path);
	if (kind == MOVES && rename(path, other) < 0)
		die(path);
	if (kind != NEW && unlink(kind == MOVES ? other : path) < 0)
		die(path);
}

/* Where the i-th file is before it is moved in that round, and afterwards. */
static void move_paths(
	char *from, char *to, const char *root, Kind kind, long spread, long round, long i)
{
	char *inside = kind == IN ? to : from, *other = kind == IN ? from : to;
	size_t length = work_path(inside, root, spread, i);
	snprintf(inside + length, PATH_LENGTH - length, "/move-%03ld-%07ld", round % 1000, i);
	if (kind == WITHIN) {
		memcpy(other, inside, length);
		snprintf(other + length, PATH_LENGTH - length, "/gone-%03ld-%07ld", round % 1000, i);
	} else {
		snprintf(other, PATH_LENGTH, "%s-outside/move-%03ld-%07ld", root, round % 1000, i);
	}
}

static void prepare_moves(const char *root, Kind kind, long files, long spread, long rounds)
{
	char from[PATH_LENGTH], to[PATH_LENGTH];
	snprintf(from, sizeof from, "%s-outside", root);
	if (mkdir(from, 0755) < 0 && errno != EEXIST)
		die(from);
	for (long i = 0; i < rounds * files; i++) {
		move_paths(from, to, root, kind, spread, 1 + i / files, i % files);
		make_file(from);
		unlink(to);
	}
}

static void move(const char *root, Kind kind, long spread, long round, long i)
{
	char from[PATH_LENGTH], to[PATH_LENGTH];
	move_paths(from, to, root, kind, spread, round, i);
	if (rename(from, to) < 0)
		die(from);
}

static void rename_next(const char *root, long n)
{
	char from[PATH_LENGTH], to[PATH_LENGTH];
	snprintf(from, sizeof from, "%s/moving-%ld", root, n);
	snprintf(to, sizeof to, "%s/moving-%ld", root, n + 1);
	if (rename(from, to) < 0)
		die(from);
}

static void work(const char *root, Kind kind, long files, long spread, long round)
{
	char path[PATH_LENGTH];
	for (long i = 0; i < files; i++) {
		if (kind == SAVES) {
			work_path(path, root, spread, i);
			save(path);
		} else if (kind == RENAMES) {
			rename_next(root, (round - 1) * files + i);
		} else if (kind == OUT || kind == IN || kind == WITHIN) {
			move(root, kind, spread, round, i);
		} else {
			pass_through(root, kind, spread, round, i);
		}
	}
}

/* The files are there before anyone looks. */
static void prepare(const char *root, Kind kind, long files, long spread, long rounds)
{
	if (kind == SAVES)
		work(root, kind, files, spread, 0);
	if (kind == OUT || kind == IN || kind == WITHIN)
		prepare_moves(root, kind, files, spread, rounds);
}

static void mark_path(char *path, const char *root, long round)
{
	snprintf(path, PATH_LENGTH, "%s/end-%ld", root, round);
}

/* The marks of the last trial in the same tree. */
static void remove_marks(const char *root, long rounds)
{
	char mark[PATH_LENGTH];
	for (long round = 1; round <= rounds; round++) {
		mark_path(mark, root, round);
		unlink(mark);
	}
}

static void burst(const char *root, Kind kind, long files, long rounds, long spread, char **argv)
{
	bool lines = getenv("LINES") != NULL, rests = getenv("RESTS") != NULL;
	remove_marks(root, rounds);
	prepare(root, kind, files, spread, rounds);
	Consumer consumer = start_consumer(argv);
	for (long round = 1; round <= rounds; round++) {
		char mark[PATH_LENGTH], word[32];
		long count = 0;
		snprintf(word, sizeof word, "end-%ld", round);
		mark_path(mark, root, round);
		stop(&consumer);
		work(root, kind, files, spread, round);
		if (symlink("x", mark) < 0) /* one record alone: CREATE */
			die(mark);
		int64_t before = read_clock(consumer.clock);
		kill(consumer.pid, SIGCONT);
		long others = 0;
		if (rests)
			wait_for_rest(consumer.clock);
		else
			others = wait_for_line(&consumer, word, lines, &count);
		printf(
			"%lld %ld\n", (long long)(read_clock(consumer.clock) - before), lines ? others : count);
		fflush(stdout);
	}
	end_consumer(&consumer);
}

static long proc_number(pid_t pid, const char *file, const char *key)
{
	char path[64], line[256];
	long value = -1;
	snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
	FILE *in = fopen(path, "r");
	if (in == NULL)
		die(path);
	while (fgets(line, sizeof line, in) != NULL)
		if (strncmp(line, key, strlen(key)) == 0)
			sscanf(line + strlen(key), "%ld", &value);
	fclose(in);
	return value;
}

static void setup(long rounds, char **argv)
{
	for (long round = 0; round < rounds; round++) {
		int64_t before = read_clock(CLOCK_MONOTONIC);
		Consumer consumer = start_consumer(argv);
		int64_t wall = read_clock(CLOCK_MONOTONIC) - before, cpu = read_clock(consumer.clock);
		printf("%lld %lld %ld %ld\n", (long long)cpu, (long long)wall,
			proc_number(consumer.pid, "smaps_rollup", "Anonymous:"),
			proc_number(consumer.pid, "smaps_rollup", "Rss:"));
		fflush(stdout);
		end_consumer(&consumer);
	}
}

static void idle(double seconds, char **argv)
{
	Consumer consumer = start_consumer(argv);
	nap(0.5); /* what follows the set-up is not idleness */
	long wakeups = proc_number(consumer.pid, "status", "voluntary_ctxt_switches:");
	int64_t cpu = read_clock(consumer.clock);
	nap(seconds);
	wakeups = proc_number(consumer.pid, "status", "voluntary_ctxt_switches:") - wakeups;
	printf("%ld %lld\n", wakeups, (long long)(read_clock(consumer.clock) - cpu));
	end_consumer(&consumer);
}

/* A consumer may tell of one save twice: what it says after the first is thrown away before the next. */
static void drop_waiting(int fd)
{
	char line[256];
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	while (poll(&ready, 1, 0) > 0 && read(fd, line, sizeof line) > 0)
		;
}

static int64_t read_stamp(int fd)
{
	char line[256];
	ssize_t length = read(fd, line, sizeof line - 1);
	if (length <= 0)
		die("the consumer ended");
	line[length] = '\0';
	return atoll(line);
}

static void latency(const char *root, long rounds, double gap, char **argv)
{
	char path[PATH_LENGTH];
	snprintf(path, sizeof path, "%s/latency", root);
	save(path);
	Consumer consumer = start_consumer(argv);
	int fd = fileno(consumer.out);
	for (long round = 0; round < rounds; round++) {
		nap(gap);
		drop_waiting(fd);
		int64_t before = read_clock(CLOCK_MONOTONIC);
		save(path);
		printf("%lld\n", (long long)(read_stamp(fd) - before));
	}
	end_consumer(&consumer);
}

int main(int argc, char **argv)
{
	int at = 1;
	while (at < argc && strcmp(argv[at], "--") != 0)
		at++;
	char **command = argv + (at < argc ? at + 1 : argc);
	const char *what = argc > 1 ? argv[1] : "";
	if (strcmp(what, "tree") == 0 && argc == 5)
		make_tree(argv[2], atol(argv[3]), atol(argv[4]));
	else if (strcmp(what, "prepare") == 0 && argc == 6)
		prepare(argv[2], kind_of(argv[3]), atol(argv[4]), atol(argv[5]), 1);
	else if (strcmp(what, "load") == 0 && argc == 6)
		work(argv[2], kind_of(argv[3]), atol(argv[4]), atol(argv[5]), 1);
	else if (strcmp(what, "burst") == 0 && at == 7)
		burst(argv[2], kind_of(argv[3]), atol(argv[4]), atol(argv[5]), atol(argv[6]), command);
	else if (strcmp(what, "setup") == 0 && at == 3)
		setup(atol(argv[2]), command);
	else if (strcmp(what, "idle") == 0 && at == 3)
		idle(atof(argv[2]), command);
	else if (strcmp(what, "latency") == 0 && at == 5)
		latency(argv[2], atol(argv[3]), atof(argv[4]), command);
	else
		return fprintf(stderr, "trial: see the head of trial.c\n"), 2;
	return 0;
}
