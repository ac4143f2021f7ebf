// What merge_items costs a receiver: one transaction with 1,000 rows (per_diff) and with 10,000
// into an empty container, into one that holds 50,000 others, and into one that has them all.
// Goals: rows per second by the wall clock, commit and fsync included. Not a goal: JSON, see
// rows.cpp.

#include "make_rows.hpp"
#include "place.hpp"
#include <replica/clock.hpp>
#include <replica/sqlite/container.hpp>

#include <benchmark/benchmark.h>

#include <cstdint>
#include <filesystem>
#include <string>

namespace {

using namespace replica;

constexpr std::int64_t held = 50'000;
constexpr auto source = "8a4c9a3e-3e5b-4d0c-9d5b-7a1c9f1d2e30";

/// A container with rows 0 to `count` - 1, made once per size.
std::string container_with(std::int64_t count) {
    const std::string path = bench::place.database("with-" + std::to_string(count));
    if (!std::filesystem::exists(path)) {
        ContainerInfo info;
        info.account = "a";
        info.container = "c";
        ContainerBroker().create(path, info).merge_items(bench::make_rows<ObjectRow>(0, count), "");
    }
    return path;
}

ContainerBroker::database_type open(const std::string& path) {
    return ContainerBroker().open(path, SystemClock().monotonic() + to_duration(Seconds{60}));
}

/// Merges range(0) rows that are new into a fresh copy of a container with range(1) others.
void new_rows(benchmark::State& state) {
    const auto rows = bench::make_rows<ObjectRow>(state.range(1), state.range(0));
    const std::string before = container_with(state.range(1));
    const std::string path = before + ".copy";
    for (auto _ : state) {
        state.PauseTiming();
        std::filesystem::copy_file(before, path, std::filesystem::copy_options::overwrite_existing);
        {
            auto database = open(path);
            state.ResumeTiming();
            database.merge_items(rows, source);
            state.PauseTiming();
            if (database.info().count != state.range(1) + state.range(0)) {
                state.SkipWithError("not all rows have arrived");
            }
        }
        std::filesystem::remove(path);
        state.ResumeTiming();
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}

/// The same rows again, as after an answer that got lost.
void nothing_new(benchmark::State& state) {
    const auto rows = bench::make_rows<ObjectRow>(0, state.range(0));
    auto database = open(container_with(held));
    for (auto _ : state) {
        if (database.merge_items(rows, source).changed != 0) {
            state.SkipWithError("rows that were there have changed");
            break;
        }
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}

} // namespace

BENCHMARK(new_rows)
    ->ArgNames({"rows", "into"})
    ->ArgsProduct({{1000, 10'000}, {0, held}})
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(nothing_new)
    ->ArgName("rows")
    ->Arg(1000)
    ->Arg(10'000)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
