/*
 * Contender: ferry's plain blocking calls, a thread for each connection.
 */
#include "ferry_get.h"

static void work(void)
{
    struct bench_worker worker = {0};
    while (bench_go_on()) {
        get_once(&worker);
    }
}

int main(int argc, char **argv)
{
    bench_begin(argc, argv);
    bench_run_threads(work);
    return bench_report("ferry-calls");
}
