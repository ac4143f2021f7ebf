// What a pass over databases at rest costs per database, if a feed tells what has changed: a look
// at each entry of the ledger. And what a question of another node costs: few cells are at hand,
// more are counted anew. Goals: 0.1 us a database for the pass. Not a goal: the walk, which
// bench/scale.sh measures.

#include <replica/ring.hpp>
#include <replica/send/file_state.hpp>
#include <replica/send/ledger.hpp>
#include <replica/words/md5.hpp>
#include <replica/words/random.hpp>
#include <replica/words/timestamp.hpp>

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace replica;

constexpr Timestamp now{1'700'000'000 * Timestamp::ticks_per_second, 0};

const Primaries& primaries() {
    static const Primaries listed = [] {
        std::vector<Device> devices(3);
        for (std::size_t i = 0; i < devices.size(); ++i) {
            devices[i].id = static_cast<std::int64_t>(i);
        }
        return Primaries(devices);
    }();
    return listed;
}

/// A device on which all databases sleep.
Ledger ledger_of(std::int64_t databases) {
    Ledger ledger;
    ledger.begin_pass(20);
    Random random(1);
    for (std::int64_t i = 0; i < databases; ++i) {
        ledger.confirm(to_hex(md5(std::to_string(i))), FileState{1}, primaries(), 1,
                       now.plus(Seconds(80'000)), random.next());
    }
    return ledger;
}

void pass_over_all(benchmark::State& state) {
    Ledger ledger = ledger_of(state.range(0));
    for (auto _ : state) {
        ledger.begin_pass(20);
        for (const Device& device : primaries().devices) {
            ledger.agree(device.id, {});
        }
        const auto opened = ledger.to_open(
            now, [](std::string_view hash) { return primaries().digest + (hash[0] == 'x'); });
        if (!opened.empty()) {
            state.SkipWithError("a database is opened");
        }
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}

void summary(benchmark::State& state) {
    const Ledger ledger = ledger_of(10'000);
    for (auto _ : state) {
        benchmark::DoNotOptimize(ledger.summary(1, static_cast<std::size_t>(state.range(0))));
    }
}

BENCHMARK(pass_over_all)->Arg(1'000)->Arg(100'000);
BENCHMARK(summary)->Arg(Ledger::few_cells)->Arg(4096);

} // namespace
