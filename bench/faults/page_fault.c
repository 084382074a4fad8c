// SPDX-License-Identifier: Apache-2.0

// page_fault takes exactly one major fault: it writes a page into a file of its
// own in the current folder, has the kernel forget it, and reads it through a
// mapping. (The process may have taken others, as who started it.) Exit code 1 and a line on stderr when it took another number, as
// where the folder is in memory (tmpfs).
//
// The program itself must not fault, even if nothing of it is cached. So it is
// one page with neither libc nor loader: execve reads the first page of a file,
// and with it all that will ever be mapped.
//
//	gcc -O2 -static -nostdlib -Wl,-z,noseparate-code -o page_fault page_fault.c

#include <asm/unistd.h>
#include <linux/fadvise.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/resource.h>

#define ANY_PAGE 65536 // no architecture's default page is larger

static long call(long n, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
	register long r10 asm("r10") = d, r8 asm("r8") = e, r9 asm("r9") = f;
	asm volatile("syscall" : "+a"(n) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return n;
#elif defined(__aarch64__)
	register long x8 asm("x8") = n, x0 asm("x0") = a, x1 asm("x1") = b, x2 asm("x2") = c, x3 asm("x3") = d,
		x4 asm("x4") = e, x5 asm("x5") = f;
	asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
	return x0;
#else
#error "no system calls for this architecture"
#endif
}

static void finish(const char *complaint, long length)
{
	if (length)
		call(__NR_write, 2, (long)complaint, length, 0, 0, 0);
	call(__NR_exit_group, length != 0, 0, 0, 0, 0, 0);
}

#define fail(text) finish("page_fault: " text "\n", sizeof("page_fault: " text "\n") - 1)

void _start(void)
{
	struct rusage before, after;
	const char *name = "page_fault.tmp";
	long file = call(__NR_openat, AT_FDCWD, (long)name, O_RDWR | O_CREAT | O_EXCL, 0600, 0, 0);

	if (file < 0)
		fail("cannot create page_fault.tmp here");
	call(__NR_unlinkat, AT_FDCWD, (long)name, 0, 0, 0, 0);
	if (call(__NR_ftruncate, file, ANY_PAGE, 0, 0, 0, 0) || call(__NR_pwrite64, file, (long)"x", 1, 0, 0, 0) != 1 ||
	    call(__NR_fsync, file, 0, 0, 0, 0, 0) || call(__NR_fadvise64, file, 0, 0, POSIX_FADV_DONTNEED, 0, 0))
		fail("cannot write a page and have it forgotten");

	volatile char *page = (volatile char *)call(__NR_mmap, 0, ANY_PAGE, PROT_READ, MAP_PRIVATE, file, 0);

	if ((unsigned long)page > -4096UL)
		fail("cannot map the file");
	if (call(__NR_getrusage, RUSAGE_SELF, (long)&before, 0, 0, 0, 0))
		fail("cannot count faults");
	if (*page != 'x')
		fail("the file has something else in it");
	if (call(__NR_getrusage, RUSAGE_SELF, (long)&after, 0, 0, 0, 0) || after.ru_majflt - before.ru_majflt != 1)
		fail("not one major fault: is this folder in memory?");
	finish(0, 0);
}
