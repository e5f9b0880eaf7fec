/* Says to callgrind which instructions count: a library for ctypes, so that Python can.
 *
 * Built by native.py as marks.so and called by instruction_rows. Outside valgrind these do nothing.
 */
#include <valgrind/callgrind.h>

void instrument(void) { CALLGRIND_START_INSTRUMENTATION; }

/* Once: from here on they count. Again: no more. */
void toggle(void) { CALLGRIND_TOGGLE_COLLECT; }

/* Writes what was counted since the last time under a name, and begins at 0. */
void dump(const char *name) { CALLGRIND_DUMP_STATS_AT(name); }
