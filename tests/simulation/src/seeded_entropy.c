/* Replaces the system's random numbers in a simulation by a sequence that the environment seeds.
 *
 * The standard library draws the seeds of its hash maps from here, Tokio that of its fairness, and
 * chassis::entropy everything else. Without a seed in the environment the sequence is always the
 * same one. A simulation has one thread, so nothing is locked. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

static uint64_t state;
static int seeded;

/* SplitMix64 */
static uint64_t next(void) {
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

ssize_t getrandom(void *buffer, size_t length, unsigned int flags) {
    unsigned char *bytes = buffer;
    (void)flags;
    if (!seeded) {
        const char *seed = getenv("PAIHAO_SIMULATION_SEED");
        state = seed ? strtoull(seed, NULL, 10) : 0;
        seeded = 1;
    }
    for (size_t i = 0; i < length; i++) {
        bytes[i] = (unsigned char)next();
    }
    return (ssize_t)length;
}
