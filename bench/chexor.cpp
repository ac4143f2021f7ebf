// What the hash of a database costs per row: MD5 alone, which nothing can avoid; our own update of
// a value; and the function chexor() that Swift's triggers call, which reads and writes the hash as
// text each time. Goals: time per row for a short name and a long one. Not a goal: the row itself.

#include <replica/sqlite/chexor.hpp>
#include <replica/words/md5.hpp>

#include <benchmark/benchmark.h>
#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace {

using namespace replica;

constexpr std::string_view created_at = "1700000000.00000";
constexpr std::int64_t short_name = 25; // one block of MD5 with the time
constexpr std::int64_t long_name = 200; // four

std::string name_of(const benchmark::State& state) {
    return std::string(static_cast<std::size_t>(state.range(0)), 'n');
}

void md5_alone(benchmark::State& state) {
    const std::string name = name_of(state);
    for (auto _ : state) {
        benchmark::DoNotOptimize(md5(name, std::string_view("-"), created_at));
    }
    state.SetItemsProcessed(state.iterations());
}

void chexor_value(benchmark::State& state) {
    const std::string name = name_of(state);
    sqlite::Chexor hash;
    for (auto _ : state) {
        hash.toggle(name, created_at);
    }
    benchmark::DoNotOptimize(hash.text());
    state.SetItemsProcessed(state.iterations());
}

void chexor_in_sql(benchmark::State& state) {
    const std::string name = name_of(state);
    struct Free {
        void operator()(sqlite3* file) const { sqlite3_close(file); }
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };
    sqlite3* opened = nullptr;
    sqlite3_open(":memory:", &opened);
    const std::unique_ptr<sqlite3, Free> file(opened);
    sqlite3_stmt* prepared = nullptr;
    if (sqlite::register_chexor(opened) != SQLITE_OK ||
        sqlite3_prepare_v2(opened, "SELECT chexor(?, ?, ?)", -1, &prepared, nullptr) != SQLITE_OK) {
        state.SkipWithError(sqlite3_errmsg(opened));
        return;
    }
    const std::unique_ptr<sqlite3_stmt, Free> statement(prepared);
    std::string hash(32, '0');
    const auto bind = [&](int at, std::string_view text) {
        sqlite3_bind_text(prepared, at, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
    };
    for (auto _ : state) {
        bind(1, hash);
        bind(2, name);
        bind(3, created_at);
        if (sqlite3_step(prepared) != SQLITE_ROW) {
            state.SkipWithError(sqlite3_errmsg(opened));
            break;
        }
        hash = reinterpret_cast<const char*>(sqlite3_column_text(prepared, 0));
        sqlite3_reset(prepared);
    }
    state.SetItemsProcessed(state.iterations());
}

} // namespace

BENCHMARK(md5_alone)->Arg(short_name)->Arg(long_name);
BENCHMARK(chexor_value)->Arg(short_name)->Arg(long_name);
BENCHMARK(chexor_in_sql)->Arg(short_name)->Arg(long_name);
