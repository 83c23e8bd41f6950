/*
 * C++ exceptions in tasks: a handler may wait in ferry, whatever other tasks throw and catch meanwhile,
 * and in whichever order their handlers end.
 */
#include <ferry.h>

#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>

extern "C" {
#include <cmocka.h>
}

namespace
{

/* One task's way through a handler, and what it saw there. */
struct visit {
    std::string name;
    int begins; /* after so many turns of all tasks it throws */
    int lasts;  /* and so many it waits in its handler */
    bool throws_again;
    std::string caught;
    std::string caught_again;
};

void wait_for(int turns)
{
    for (int i = 0; i < turns; i++) {
        ferry_yield();
    }
}

void in_a_handler(visit *visit)
{
    try {
        throw std::runtime_error(visit->name);
    } catch (const std::exception &error) {
        wait_for(visit->lasts);
        visit->caught = error.what();
        if (visit->throws_again) {
            throw;
        }
    }
}

void go_through(void *arg)
{
    visit *visit = static_cast<struct visit *>(arg);
    wait_for(visit->begins);
    try {
        in_a_handler(visit);
    } catch (const std::exception &error) {
        visit->caught_again = error.what();
    }
}

void go_through_both(visit (&visits)[2])
{
    ferry_group *group = ferry_group_new();
    for (visit &visit : visits) {
        assert_int_equal(ferry_group_go(group, go_through, &visit), 0);
    }
    ferry_group_wait(group);
    ferry_group_free(group);
}

/* The first handler ends while the second, begun later, still waits: no stack of the two. */
void test_handlers_that_overlap(void **)
{
    const std::string first(100, 'a');
    const std::string second(100, 'b');
    visit visits[] = {{first, 0, 4, false, "", ""}, {second, 2, 8, false, "", ""}};
    go_through_both(visits);
    assert_true(visits[0].caught == first);
    assert_true(visits[1].caught == second);
    assert_true(std::current_exception() == nullptr);
}

/* What is thrown again is the task's own, not what another one caught last. */
void test_thrown_again_after_a_wait(void **)
{
    const std::string first(100, 'c');
    const std::string second(100, 'd');
    visit visits[] = {{first, 0, 4, true, "", ""}, {second, 2, 8, true, "", ""}};
    go_through_both(visits);
    assert_true(visits[0].caught_again == first);
    assert_true(visits[1].caught_again == second);
}

/* The thread's own handler has its exception on top again when the tasks have had theirs. */
void test_the_thread_waits_in_a_handler(void **)
{
    const std::string mine(100, 'e');
    visit visit = {std::string(100, 'f'), 0, 4, false, "", ""};
    ferry_group *group = ferry_group_new();
    try {
        throw std::runtime_error(mine);
    } catch (const std::exception &) {
        assert_int_equal(ferry_group_go(group, go_through, &visit), 0);
        wait_for(2); /* the task's handler has begun, and waits */
        try {
            throw;
        } catch (const std::exception &error) {
            assert_true(mine == error.what());
        }
    }
    ferry_group_wait(group);
    assert_true(visit.caught == visit.name);
    ferry_group_free(group);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        cmocka_unit_test(test_handlers_that_overlap),
        cmocka_unit_test(test_thrown_again_after_a_wait),
        cmocka_unit_test(test_the_thread_waits_in_a_handler),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
