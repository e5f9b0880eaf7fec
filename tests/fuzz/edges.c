/* What gcc's coverage calls at every edge of a compiled module, told to libFuzzer.
 *
 * Linked into each module of a fuzzing build (setup.py, RELAYS_COVERAGE): libFuzzer reads the
 * counters that clang would have made, gcc only calls a function at each edge. So the function
 * counts, in a place chosen by where it was called from. Comparisons need nothing of this:
 * both compilers call the same functions, which libFuzzer has; those of floats it has not.
 */
#include <stdint.h>

#define SIZE (1 << 14)
#define HIDDEN __attribute__((visibility("hidden")))

extern void __sanitizer_cov_8bit_counters_init(uint8_t *, uint8_t *) __attribute__((weak));
extern void __sanitizer_cov_pcs_init(const uintptr_t *, const uintptr_t *) __attribute__((weak));

static uint8_t counters[SIZE];
static uintptr_t places[SIZE][2]; /* libFuzzer wants an address for each counter */

HIDDEN void __sanitizer_cov_trace_pc(void)
{
    uint64_t place = (uintptr_t)__builtin_return_address(0) - (uintptr_t)places;
    counters[(place * 0x9E3779B97F4A7C15u) >> (64 - 14)]++;
}

HIDDEN void __sanitizer_cov_trace_cmpf(float a, float b) { (void)a, (void)b; }
HIDDEN void __sanitizer_cov_trace_cmpd(double a, double b) { (void)a, (void)b; }

__attribute__((constructor)) static void begin(void)
{
    if (!__sanitizer_cov_8bit_counters_init)
        return; /* not under a fuzzer */
    for (int n = 0; n < SIZE; n++)
        places[n][0] = (uintptr_t)&places[n];
    __sanitizer_cov_8bit_counters_init(counters, counters + SIZE);
    __sanitizer_cov_pcs_init(places[0], places[SIZE]);
}
