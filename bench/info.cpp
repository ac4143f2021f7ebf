// What it costs to ask a database for what its replicas must know (Swift: get_replication_info).
// Each database of a pass is asked once by its sender and once by each receiver, and most have
// nothing to do: this is the floor of a pass. Goals: time of open, read, close on a file that the
// kernel has cached, of open and close alone, and of a read through an open handle. Not a goal: the
// disk's own latency.

#include "make_rows.hpp"
#include "place.hpp"
#include <replica/clock.hpp>
#include <replica/sqlite/account.hpp>
#include <replica/sqlite/container.hpp>

#include <benchmark/benchmark.h>

#include <cstdint>
#include <filesystem>
#include <string>

namespace {

using namespace replica;

/// A database with `count` rows, made once per kind and size.
template <Broker B>
std::string database_with(std::int64_t count) {
    const std::string path =
        bench::place.database(std::string(B::kind_type::name) + '-' + std::to_string(count));
    if (!std::filesystem::exists(path)) {
        info_type_of<B> info;
        info.account = "a";
        if constexpr (requires { info.container; }) {
            info.container = "c";
        }
        B().create(path, info).merge_items(bench::make_rows<row_type_of<B>>(0, count), "");
    }
    return path;
}

template <Broker B>
typename B::database_type open(const std::string& path) {
    return B().open(path, SystemClock().monotonic() + to_duration(Seconds{10}));
}

template <Broker B>
void open_and_close(benchmark::State& state) {
    const std::string path = database_with<B>(state.range(0));
    for (auto _ : state) {
        auto database = open<B>(path);
        benchmark::DoNotOptimize(database);
    }
}

template <Broker B>
void cold(benchmark::State& state) {
    const std::string path = database_with<B>(state.range(0));
    for (auto _ : state) {
        if (open<B>(path).info().count != state.range(0)) {
            state.SkipWithError("not the rows that were put in");
        }
    }
    state.SetItemsProcessed(state.iterations());
}

template <Broker B>
void warm(benchmark::State& state) {
    auto database = open<B>(database_with<B>(state.range(0)));
    for (auto _ : state) {
        benchmark::DoNotOptimize(database.info().max_row);
    }
    state.SetItemsProcessed(state.iterations());
}

} // namespace

BENCHMARK_TEMPLATE(open_and_close, ContainerBroker)->Arg(10'000);
BENCHMARK_TEMPLATE(cold, ContainerBroker)->ArgName("rows")->Arg(10)->Arg(10'000);
BENCHMARK_TEMPLATE(warm, ContainerBroker)->ArgName("rows")->Arg(10)->Arg(10'000);
BENCHMARK_TEMPLATE(cold, AccountBroker)->ArgName("rows")->Arg(10'000);
BENCHMARK_TEMPLATE(warm, AccountBroker)->ArgName("rows")->Arg(10'000);
