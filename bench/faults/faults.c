// SPDX-License-Identifier: Apache-2.0

// faults takes a known number of page faults and says what one costs:
//
//	faults N [--threads T]
//
// N faults in all, shared by T threads (1). Each thread maps anonymous memory,
// writes to one byte of each page, and starts anew with fresh memory every
// 64 MiB, so that memory use stays at T times that, whatever N is. Huge pages
// are declined, so a page is a fault. Prints one JSON object: faults, threads,
// ns_per_fault (wall clock while pages are touched, one thread's share), and
// what the kernel counted for the whole process: minflt and majflt (a few
// hundred more than N: the program itself has to be loaded), user_us, sys_us.

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define ROUND_BYTES (64L << 20)
#define MAX_THREADS 1024

struct share {
	pthread_t thread;
	long faults;
	long long ns;
};

static long page_bytes;

static void die(const char *what)
{
	fprintf(stderr, "faults: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void touch(struct share *s, long pages)
{
	long bytes = pages * page_bytes;
	volatile char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		die("map memory");
	/* EINVAL: a kernel without transparent huge pages. */
	if (madvise((void *)memory, bytes, MADV_NOHUGEPAGE) && errno != EINVAL)
		die("decline huge pages");
	long long start = now();

	for (long at = 0; at < bytes; at += page_bytes)
		memory[at] = 1;
	s->ns += now() - start;
	munmap((void *)memory, bytes);
}

static void *run(void *argument)
{
	struct share *s = argument;
	long round = ROUND_BYTES / page_bytes;

	for (long left = s->faults; left > 0; left -= round)
		touch(s, left < round ? left : round);
	return NULL;
}

static long number(const char *text, long max)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || n < 1 || n > max) {
		fprintf(stderr, "faults: %s: a number from 1 to %ld\n", text, max);
		exit(2);
	}
	return n;
}

static void print(long faults, long threads, long long ns)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	printf("{\"faults\":%ld,\"threads\":%ld,\"ns_per_fault\":%.1f,\"minflt\":%ld,\"majflt\":%ld,"
	       "\"user_us\":%ld,\"sys_us\":%ld}\n",
	       faults, threads, (double)ns / faults, u.ru_minflt, u.ru_majflt,
	       u.ru_utime.tv_sec * 1000000L + u.ru_utime.tv_usec, u.ru_stime.tv_sec * 1000000L + u.ru_stime.tv_usec);
}

int main(int argc, char **argv)
{
	static struct share shares[MAX_THREADS];
	long threads = 1, faults;
	long long ns = 0;

	if (argc != 2 && !(argc == 4 && !strcmp(argv[2], "--threads"))) {
		fprintf(stderr, "usage: faults N [--threads T]\n");
		return 2;
	}
	faults = number(argv[1], 1000000000000L);
	if (argc == 4)
		threads = number(argv[3], MAX_THREADS);
	page_bytes = sysconf(_SC_PAGESIZE);
	for (long i = 0; i < threads; i++) {
		shares[i].faults = faults / threads + (i < faults % threads);
		errno = pthread_create(&shares[i].thread, NULL, run, &shares[i]);
		if (errno)
			die("start thread");
	}
	for (long i = 0; i < threads; i++) {
		pthread_join(shares[i].thread, NULL);
		ns += shares[i].ns;
	}
	print(faults, threads, ns);
	return 0;
}
