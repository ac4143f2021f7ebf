// What a batch of rows costs as JSON: written by the sender of merge_items, read by the receiver.
// Goals: rows and bytes per second for 1,000 rows (per_diff) of both kinds. Not a goal: SQLite on
// either side, see merge.cpp.

#include "make_rows.hpp"
#include <replica/words/members.hpp>
#include <replica/words/merge_items.hpp>
#include <replica/words/message.hpp>

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace {

using namespace replica;

constexpr std::int64_t batch = 1000;
constexpr auto source = "8a4c9a3e-3e5b-4d0c-9d5b-7a1c9f1d2e30";

void finish(benchmark::State& state, std::size_t bytes) {
    state.SetItemsProcessed(state.iterations() * batch);
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}

template <class Row>
void rows_out(benchmark::State& state) {
    const auto rows = bench::make_rows<Row>(0, batch);
    std::string body;
    for (auto _ : state) {
        body = message::encode_rows(rows, source);
        benchmark::DoNotOptimize(body.data());
    }
    finish(state, body.size());
}

template <class Row>
void rows_in(benchmark::State& state) {
    const auto rows = bench::make_rows<Row>(0, batch);
    const std::string body = message::encode_rows(rows, source);
    message::MergeItems<Row> items;
    for (auto _ : state) {
        items = message::decode_merge_items<Row>(message::decode_call(body));
        benchmark::DoNotOptimize(items.rows.data());
    }
    if (items.rows != rows) {
        state.SkipWithError("the rows that were read are not those that were written");
    }
    finish(state, body.size());
}

} // namespace

BENCHMARK_TEMPLATE(rows_out, ObjectRow);
BENCHMARK_TEMPLATE(rows_out, ContainerRow);
BENCHMARK_TEMPLATE(rows_in, ObjectRow);
BENCHMARK_TEMPLATE(rows_in, ContainerRow);
