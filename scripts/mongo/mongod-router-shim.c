/* Test-only. Preloaded (LD_PRELOAD) into the ONE mongod 6.0 that serves as the stand-in's query router.
 *
 * Why: the router commands (clusterAggregate, clusterGetMore...) were compiled into mongod for internal transactions
 * only. When a shard answers a change stream's getMore with an empty batch, the merger asks again from a network
 * thread; on a mongod that path asks AuthzSessionExternalStateMongod::shouldIgnoreAuthChecks(), which calls cc() on a
 * thread that has no Client, and the process aborts ("Invariant failure haveClient()"). A mongos has its own class
 * there, which does not call cc(). With authorisation off the answer is always "true", so we make the function say
 * just that. Nothing else is changed, nothing is written to the binary on disk. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

__attribute__((constructor)) static void patch(void) {
    void* fn = dlsym(RTLD_DEFAULT, "_ZNK5mongo31AuthzSessionExternalStateMongod22shouldIgnoreAuthChecksEv");
    if (!fn)
        return; /* not a mongod (a shell or helper that inherited LD_PRELOAD) */
#if defined(__x86_64__)
    static const unsigned char ret_true[] = {0xb8, 1, 0, 0, 0, 0xc3}; /* mov $1,%eax; ret */
#elif defined(__aarch64__)
    static const unsigned char ret_true[] = {0x20, 0, 0x80, 0x52, 0xc0, 3, 0x5f, 0xd6}; /* mov w0,#1; ret */
#else
#error "no patch for this processor"
#endif
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), a = (uintptr_t)fn & ~(page - 1);
    size_t len = ((uintptr_t)fn + sizeof ret_true - a + page - 1) & ~(page - 1);
    if (mprotect((void*)a, len, PROT_READ | PROT_WRITE | PROT_EXEC)) {
        perror("mongod-router-shim");
        return;
    }
    memcpy(fn, ret_true, sizeof ret_true);
    mprotect((void*)a, len, PROT_READ | PROT_EXEC);
    __builtin___clear_cache((char*)fn, (char*)fn + sizeof ret_true);
}
