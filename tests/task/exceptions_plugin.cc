/*
 * What exceptions_host.c loads: two tasks that wait in handlers whose times overlap, and throw again what
 * they have caught.
 */
#include <cstdio>
#include <stdexcept>
#include <string>

#include <ferry.h>

namespace
{

struct visit {
    std::string text;
    int rounds; /* in the handler */
    std::string caught_again;
};

void go_through(void *arg)
{
    visit *self = static_cast<visit *>(arg);
    try {
        try {
            throw std::runtime_error(self->text);
        } catch (const std::exception &) {
            for (int i = 0; i < self->rounds; i++) {
                ferry_yield();
            }
            throw;
        }
    } catch (const std::exception &error) {
        self->caught_again = error.what();
    }
}

} // namespace

extern "C" int run(void);

extern "C" int run(void)
{
    visit visits[] = {{std::string(100, 'a'), 4, ""}, {std::string(100, 'b'), 8, ""}};
    int mixed_up = 0;
    ferry_group *group = ferry_group_new();
    for (visit &visit : visits) {
        if (ferry_group_go(group, go_through, &visit) != 0) {
            return 3;
        }
    }
    ferry_group_wait(group);
    ferry_group_free(group);
    for (const visit &visit : visits) {
        if (visit.caught_again != visit.text) {
            std::fprintf(stderr, "thrown %s, caught %s\n", visit.text.c_str(),
                         visit.caught_again.c_str());
            mixed_up = 1;
        }
    }
    return mixed_up;
}
