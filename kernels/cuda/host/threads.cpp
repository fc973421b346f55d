/* The threads of a launch. Blocks run on the host's cores; the threads of a block take turns on one. */
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#include <memory>
#include <vector>

#include "cuda.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace host {

thread_local dim3 thread_index, block_index, block_size, grid_size;
thread_local void *shared_memory;

namespace {

constexpr size_t STACK = 1 << 17;

/* A thread of the block that has a stack of its own. */
struct Fiber {
    ucontext_t context;
    std::unique_ptr<char[]> stack{new char[STACK]};
    dim3 index;
    bool done;
    void *fake_stack;
};

struct Block {
    ucontext_t scheduler;
    std::vector<std::unique_ptr<Fiber>> fibers;
    Fiber *current = nullptr;
    const std::function<void()> *thread = nullptr;
    const void *scheduler_stack = nullptr;
    size_t scheduler_stack_size = 0;
    void *scheduler_fake_stack = nullptr;
};

thread_local Block here;

/* Tell the address sanitizer whose stack is used from now on. */
void leave(void **save, const void *stack, size_t size) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(save, stack, size);
#else
    (void)save, (void)stack, (void)size;
#endif
}

void arrive(void *saved, const void **stack, size_t *size) {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(saved, stack, size);
#else
    (void)saved, (void)stack, (void)size;
#endif
}

void body() {
    arrive(nullptr, &here.scheduler_stack, &here.scheduler_stack_size);
    (*here.thread)();
    here.current->done = true;
    leave(nullptr, here.scheduler_stack, here.scheduler_stack_size);
    swapcontext(&here.current->context, &here.scheduler);
}

void resume(Fiber &fiber) {
    here.current = &fiber;
    thread_index = fiber.index;
    leave(&here.scheduler_fake_stack, fiber.stack.get(), STACK);
    swapcontext(&here.scheduler, &fiber.context);
    arrive(here.scheduler_fake_stack, nullptr, nullptr);
    here.current = nullptr;
}

/* Run a block's threads in rounds from one __syncthreads to the next; false if only some of them reached one. */
bool run_fibers(dim3 block, const std::function<void()> &thread) {
    size_t count = (size_t)block.x * block.y * block.z;
    while (here.fibers.size() < count) here.fibers.emplace_back(new Fiber);
    here.thread = &thread;
    for (size_t i = 0; i < count; i++) {
        Fiber &fiber = *here.fibers[i];
        fiber.index = dim3(i % block.x, i / block.x % block.y, i / block.x / block.y);
        fiber.done = false;
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.get();
        fiber.context.uc_stack.ss_size = STACK;
        fiber.context.uc_link = nullptr;
        makecontext(&fiber.context, body, 0);
    }
    for (size_t finished = 0; finished < count;) {
        finished = 0;
        for (size_t i = 0; i < count; i++) {
            resume(*here.fibers[i]);
            finished += here.fibers[i]->done;
        }
        if (finished && finished < count) return false;
    }
    return true;
}

bool run_calls(dim3 block, const std::function<void()> &thread) {
    for (unsigned z = 0; z < block.z; z++)
        for (unsigned y = 0; y < block.y; y++)
            for (unsigned x = 0; x < block.x; x++) {
                thread_index = dim3(x, y, z);
                thread();
            }
    return true;
}

} // namespace

void wait_for_block() {
    Fiber *fiber = here.current;
    if (!fiber) {
        fputs("a kernel that calls __syncthreads must be started by launch_blocks\n", stderr);
        abort();
    }
    leave(&fiber->fake_stack, here.scheduler_stack, here.scheduler_stack_size);
    swapcontext(&fiber->context, &here.scheduler);
    arrive(fiber->fake_stack, &here.scheduler_stack, &here.scheduler_stack_size);
}

int run(dim3 grid, dim3 block, size_t shared, bool waits, const std::function<void()> &thread) {
    size_t threads = (size_t)block.x * block.y * block.z;
    if (!threads || threads > 1024 || grid.y > 65535 || grid.z > 65535 || shared > 48 * 1024)
        return cudaErrorInvalidConfiguration;
    bool good = true;
    int64_t blocks = (int64_t)grid.x * grid.y * grid.z;
#pragma omp parallel if (blocks > 1)
    {
        std::unique_ptr<char[]> memory(new char[shared ? shared : 1]);
#pragma omp for schedule(dynamic) reduction(&& : good)
        for (int64_t i = 0; i < blocks; i++) {
            block_size = block, grid_size = grid;
            block_index = dim3(i % grid.x, i / grid.x % grid.y, i / grid.x / grid.y);
            shared_memory = memory.get();
            good = (waits ? run_fibers(block, thread) : run_calls(block, thread)) && good;
        }
    }
    if (!good) fputs("some threads of a block ended while others waited at __syncthreads\n", stderr);
    return good ? cudaSuccess : cudaErrorLaunchFailure;
}

} // namespace host
