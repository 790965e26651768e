// The emulated machine: blocks one after another; a thread gives way to the next at a barrier, at a shuffle and at its end.
#include "machine.hpp"
#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

namespace {
constexpr int MOST = 1024, LANES = 32;
constexpr size_t STACK = 1 << 20, PAGE = 64 << 10, SHARED = 227 << 10, GUARD = 16 << 10;
constexpr unsigned char POISON = 0xFF, CANARY = 0xA5;  // POISON: NaN in every floating format, -1 in every integer

enum State { READY, BARRIER, WARP, DONE };

struct Fibre {
    jmp_buf context;
    ucontext_t start;
    char* stack;
    bool alive;
    State state;
    int line, predicate, ballot;
    unsigned mask, source, result;
    uint64_t value, received;
};

Fibre fibres[MOST];
jmp_buf scheduler;
alignas(1024) char dynamic[SHARED + GUARD];
Fibre* current;
void (*body)(void**);
void** arguments;
int threads;
char message[512];

void give_way() {
    if (!_setjmp(current->context)) _longjmp(scheduler, 1);
}

void loop() {
    for (;;) {
        body(arguments);
        current->state = DONE;
        give_way();
    }
}

bool create(Fibre& f) {
    if (!f.stack) {
        void* memory = mmap(nullptr, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) return false;
        f.stack = static_cast<char*>(memory);
        mprotect(memory, PAGE, PROT_NONE);  // an overflow stops the process and writes over nothing
    }
    getcontext(&f.start);
    f.start.uc_stack.ss_sp = f.stack + PAGE;
    f.start.uc_stack.ss_size = STACK - PAGE;
    f.start.uc_link = nullptr;
    makecontext(&f.start, loop, 0);
    return true;
}

void resume(int i, uint3 shape) {
    current = &fibres[i];
    unsigned n = i;
    cuda_machine.thread = {n % shape.x, n / shape.x % shape.y, n / (shape.x * shape.y)};
    if (_setjmp(scheduler)) return;
    if (current->alive) _longjmp(current->context, 1);
    current->alive = true;
    setcontext(&current->start);
}

// Whether the lanes that wait in this warp were let go on.
bool exchange(int warp) {
    Fibre* lanes = fibres + warp * LANES;
    int present = threads - warp * LANES < LANES ? threads - warp * LANES : LANES;
    bool moved = false;
    for (int i = 0; i < present; ++i) {
        Fibre& f = lanes[i];
        if (f.state != WARP) continue;
        bool complete = true;
        for (int j = 0; j < LANES && complete; ++j)
            if (f.mask >> j & 1) complete = j < present && lanes[j].state == WARP && lanes[j].mask == f.mask && lanes[j].line == f.line;
        if (!complete) continue;
        unsigned yes = 0, mask = f.mask;
        for (int j = 0; j < LANES; ++j)
            if (mask >> j & 1) yes |= static_cast<unsigned>(lanes[j].predicate != 0) << j;
        for (int j = 0; j < LANES; ++j)
            if (mask >> j & 1) {
                if (!lanes[j].ballot && !(mask >> lanes[j].source & 1)) {
                    snprintf(message, sizeof message, "line %d: lane %d reads lane %u, which is not in the mask %08x",
                             lanes[j].line, j, lanes[j].source, mask);
                    return false;
                }
                lanes[j].received = lanes[lanes[j].source].value;
                lanes[j].result = yes;
            }
        for (int j = 0; j < LANES; ++j)
            if (mask >> j & 1) lanes[j].state = READY;
        moved = true;
    }
    return moved;
}

// An access to an address that is nobody's: at the end of a fibre's stack, of too much local memory.
void fault(int, siginfo_t* info, void* context) {
    char text[400], *address = static_cast<char*>(info->si_addr);
    const bool local = current && address >= current->stack && address < current->stack + PAGE;
    if (local) snprintf(text, sizeof text, "more local memory than the %zu KiB of a thread's stack", STACK >> 10);
    else snprintf(text, sizeof text, "access to %p, where there is no memory", static_cast<void*>(address));
#ifdef __x86_64__
    Dl_info where;  // the caller finds the line
    void* at = reinterpret_cast<void*>(static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
    if (dladdr(at, &where) && where.dli_fname)
        snprintf(text + strlen(text), sizeof text - strlen(text), " [%s+%#tx]", where.dli_fname,
                 static_cast<char*>(at) - static_cast<char*>(where.dli_fbase));
#endif
    cuda_fail(text, 0);
}

struct Faults {  // while it lives, they are reported and not the end of the process
    struct sigaction before[2];
    Faults() {
        static char stack[64 << 10];
        stack_t alternate = {stack, 0, sizeof stack};
        sigaltstack(&alternate, &own);
        struct sigaction action = {};
        action.sa_sigaction = fault;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
        sigaction(SIGSEGV, &action, before);
        sigaction(SIGBUS, &action, before + 1);
    }
    ~Faults() {
        sigaction(SIGSEGV, before, nullptr);
        sigaction(SIGBUS, before + 1, nullptr);
        sigaltstack(&own, nullptr);
    }
    stack_t own;
};

void stuck() {
    int count[4] = {0, 0, 0, 0}, low = 1 << 30, high = 0;
    for (int i = 0; i < threads; ++i) {
        ++count[fibres[i].state];
        if (fibres[i].state == DONE) continue;
        low = fibres[i].line < low ? fibres[i].line : low;
        high = fibres[i].line > high ? fibres[i].line : high;
    }
    snprintf(message, sizeof message, "the threads of a block part: %d wait at __syncthreads, %d at a warp's shuffle or vote, %d have "
             "returned; lines %d to %d (block %u,%u,%u)", count[BARRIER], count[WARP], count[DONE], low, high,
             cuda_machine.block.x, cuda_machine.block.y, cuda_machine.block.z);
}

bool barrier_passed() {
    unsigned yes = 0;
    for (int i = 0; i < threads; ++i) {
        if (fibres[i].state != BARRIER || fibres[i].line != fibres[0].line) return false;
        yes += fibres[i].predicate != 0;
    }
    for (int i = 0; i < threads; ++i) fibres[i].state = READY, fibres[i].result = yes;
    return true;
}

void run_block(uint3 shape, int reversed) {
    int warps = (threads + LANES - 1) / LANES;
    for (int i = 0; i < threads; ++i) fibres[i].state = READY;
    for (bool passed = true; passed && !*message;) {
        for (int w = 0; w < warps; ++w) {
            int warp = reversed ? warps - 1 - w : w;
            do {
                for (int l = 0; l < LANES; ++l) {
                    int i = warp * LANES + (reversed ? LANES - 1 - l : l);
                    if (i < threads && fibres[i].state == READY) resume(i, shape);
                    if (*message) return;
                }
            } while (exchange(warp) && !*message);
        }
        passed = barrier_passed();
    }
    for (int i = 0; i < threads && !*message; ++i)
        if (fibres[i].state != DONE) stuck();
}
}  // namespace

extern "C" {
Machine cuda_machine;

unsigned cuda_barrier(int line, int predicate) {
    current->line = line, current->predicate = predicate, current->state = BARRIER;
    give_way();
    return current->result;
}

uint64_t cuda_exchange(int line, unsigned mask, unsigned source, uint64_t value) {
    unsigned lane = (current - fibres) % LANES;
    if (!(mask >> lane & 1)) cuda_fail("a lane that its mask leaves out takes part in a shuffle", line);
    current->line = line, current->mask = mask, current->source = source, current->value = value;
    current->ballot = 0, current->predicate = 0, current->state = WARP;
    give_way();
    return current->received;
}

unsigned cuda_ballot(int line, unsigned mask, int predicate) {
    current->line = line, current->mask = mask, current->source = 0, current->ballot = 1;
    current->predicate = predicate, current->state = WARP;
    give_way();
    return current->result;
}

void cuda_fail(const char* text, int line) {
    uint3 t = cuda_machine.thread, b = cuda_machine.block;
    int n = line ? snprintf(message, sizeof message, "line %d: ", line) : 0;
    snprintf(message + n, sizeof message - n, "%s (thread %u,%u,%u of block %u,%u,%u)", text, t.x, t.y, t.z, b.x, b.y, b.z);
    _longjmp(scheduler, 1);
}

// Run a grid. The message says what went wrong; it is empty where nothing did.
const char* cuda_run(void (*kernel)(void**), void** given, const unsigned* grid, const unsigned* block, unsigned shared,
                     char* begin, char* end, int reversed) {
    *message = 0;
    body = kernel, arguments = given, threads = block[0] * block[1] * block[2];
    if (threads > MOST || shared + static_cast<size_t>(end - begin) > SHARED)
        return snprintf(message, sizeof message, "%d threads and %zu bytes of shared memory exceed a block's %d and %zu", threads,
                        shared + static_cast<size_t>(end - begin), MOST, SHARED), message;
    cuda_machine.block_shape = {block[0], block[1], block[2]};
    cuda_machine.grid_shape = {grid[0], grid[1], grid[2]};
    cuda_machine.shared = dynamic;
    for (int i = 0; i < threads; ++i)
        if (!fibres[i].alive && !create(fibres[i])) return snprintf(message, sizeof message, "no memory for the stacks"), message;
    memset(dynamic, CANARY, SHARED + GUARD);
    Faults faults;
    uint64_t blocks = static_cast<uint64_t>(grid[0]) * grid[1] * grid[2];
    for (uint64_t k = 0; k < blocks && !*message; ++k) {
        unsigned n = reversed ? blocks - 1 - k : k;
        cuda_machine.block = {n % grid[0], n / grid[0] % grid[1], n / (grid[0] * grid[1])};
        memset(dynamic, POISON, shared);
        memset(begin, POISON, end - begin);
        run_block(cuda_machine.block_shape, reversed);
        for (size_t i = shared; i < shared + 64 && !*message; ++i)
            if (static_cast<unsigned char>(dynamic[i]) != CANARY)
                snprintf(message, sizeof message, "written %zu bytes past the end of the dynamic shared memory", i - shared);
    }
    if (*message)
        for (Fibre& f : fibres) f.alive = false;  // left where they stopped; they start anew
    return message;
}

// ---- what -fsanitize reports

struct Place { const char* file; uint32_t line, column; };
struct Kind { uint16_t kind, info; char name[1]; };
struct Mismatch { Place place; Kind* type; unsigned char log_alignment, kind; };
struct Bounds { Place place; Kind *array, *index; };

void __ubsan_handle_type_mismatch_v1(Mismatch* m, uintptr_t pointer) {
    char text[200];
    if (pointer) snprintf(text, sizeof text, "misaligned access to %s at %#zx", m->type->name, static_cast<size_t>(pointer));
    else snprintf(text, sizeof text, "access to %s at a null pointer", m->type->name);
    cuda_fail(text, m->place.line);
}

void __ubsan_handle_out_of_bounds(Bounds* b, uintptr_t index) {
    char text[200];
    snprintf(text, sizeof text, "index %zd is outside %s", static_cast<ssize_t>(index), b->array->name);
    cuda_fail(text, b->place.line);
}

void __ubsan_handle_divrem_overflow(Place* place, uintptr_t, uintptr_t) {
    cuda_fail("an integer division by zero, or of the least integer by -1", place->line);
}
}
