// What it costs when two replicas have lost the points that tell what the other has: the rows are
// compared and those that differ sent, or all are sent. One pass of one node, both with real files;
// a request is a call of the receiver. Goals: time, bytes and requests. Not a goal: HTTP, see
// round_trip.cpp. The test has few rows; REPLICA_BENCH_ROWS=1000000 gives the figures of the
// documentation.

#include "make_rows.hpp"
#include "place.hpp"
#include <replica/local/file_sync.hpp>
#include <replica/replica.hpp>
#include <replica/ring/json_ring.hpp>
#include <replica/sqlite/container.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

using namespace replica;

/// What went over.
struct Wire {
    std::atomic<std::int64_t> requests{0};
    std::atomic<std::int64_t> bytes{0};
};

struct Direct {
    struct Peer {
        RpcServer<ContainerBroker> server;
        Device target;
        Wire* wire;
        const Device& device() const { return target; }
        bool speaks_ours(Instant, const std::stop_token&) const { return true; }
        Result<Reply> send(const Request& request, Instant, const std::stop_token&) {
            Reply reply = server.handle(request);
            ++wire->requests;
            wire->bytes += static_cast<std::int64_t>(request.body.size() + reply.body.size());
            return reply;
        }
    };
    RpcServer<ContainerBroker> server;
    Wire* wire;
    Peer peer(const Device& device) const { return {server, device, wire}; }
};

struct Log {
    void operator()(const event::DatabaseFailed& e) const { failed(e.what); }
    void operator()(const event::PeerFailed& e) const { failed(e.what); }
    void operator()(const auto&) const {}
    void failed(const std::string& what) const { ::fprintf(stderr, "%s\n", what.c_str()); }
};

std::int64_t rows_of_test() {
    const char* const rows = std::getenv("REPLICA_BENCH_ROWS");
    return rows == nullptr ? 20'000 : std::strtoll(rows, nullptr, 10);
}

/// Two devices that have the same rows, and then changes on each side.
struct Pair {
    explicit Pair(std::int64_t rows) : count(rows) {
        settings.devices = bench::place.database("devices");
        settings.mount_check = false;
        settings.hash_path_suffix = "a secret of the cluster";
        settings.fallocate_reserve = {0, false};
        settings.max_diffs = 1'000'000;
        std::filesystem::create_directories(settings.devices);
        std::ofstream(settings.devices + "/ring.json") << R"({"part_power": 1, "replicas": 2,
            "devices": [{"id": 0, "ip": "10.0.0.1", "port": 6201, "device": "sda", "weight": 1},
                        {"id": 1, "ip": "10.0.0.2", "port": 6201, "device": "sdb", "weight": 1}]})";
        info.account = "a";
        info.container = "c";
        broker.create(path("sda"), info).merge_items(bench::make_rows<ObjectRow>(0, count), "");
        std::filesystem::create_directories(std::filesystem::path(path("sdb")).parent_path());
        std::filesystem::copy_file(path("sda"), path("sdb"));
        open("sdb").renew_id();
    }

    [[nodiscard]] std::string path(const std::string& device) const {
        const std::string hash = HashPath{"", settings.hash_path_suffix}(info.name());
        JsonRing<> ring(settings.devices + "/ring.json");
        return settings.devices + '/' + device + '/' +
               storage_directory("containers", std::to_string(ring.version().partition(hash)),
                                 hash) +
               '/' + hash + ".db";
    }

    ContainerBroker::database_type open(const std::string& device) {
        return broker.open(path(device), Instant::max());
    }

    /// No point is known, and so many rows are newer on either side, others each.
    void change(std::int64_t changed, int round) {
        open("sda").merge_items(rows, ""); // what only the other side has since the last round
        for (const std::string device : {"sda", "sdb"}) {
            rows.clear();
            for (std::int64_t i = 0; i < changed; ++i) {
                rows.push_back(bench::make_row<ObjectRow>(2 * i * (count / 2 / changed) +
                                                          (device == "sda" ? 0 : 1)));
                rows.back().created_at = "17000" + std::to_string(10'000 + round) + ".00000";
            }
            auto database = open(device);
            database.merge_items(rows, "");
            database.renew_id();
        }
    }

    std::int64_t count;
    Settings settings;
    ContainerBroker broker;
    ContainerInfo info;
    std::vector<ObjectRow> rows; ///< Those that were changed last.
};

void points_are_lost(benchmark::State& state) {
    static Pair pair(rows_of_test());
    static int round = 0;
    const std::int64_t changed = std::max<std::int64_t>(pair.count / state.range(1), 1);
    Settings settings = pair.settings;
    settings.compare_rows = state.range(0) == 0 ? 0 : 1;
    Wire wire;
    for (auto _ : state) {
        state.PauseTiming();
        pair.change(changed, ++round);
        JsonRing<> ring(settings.devices + "/ring.json");
        Replicator replicator(
            settings, pair.broker, ring, Direct{{settings, pair.broker}, &wire},
            LocalFileSync<>(settings.devices), SystemClock(),
            [](const Device& device) { return device.ip == "10.0.0.1"; }, Log());
        state.ResumeTiming();
        const Stats stats = replicator.run_once();
        state.PauseTiming();
        const std::string name = bench::make_row<ObjectRow>(0).name;
        const auto there = pair.open("sdb").list({.prefix = name, .limit = 1});
        if (stats.failure != 0 || there.size() != 1 ||
            there[0].row.created_at != pair.open("sda").list({.prefix = name})[0].row.created_at) {
            state.SkipWithError("not all rows have arrived");
        }
        state.ResumeTiming();
    }
    const auto times = static_cast<double>(state.iterations());
    state.counters["bytes"] = static_cast<double>(wire.bytes) / times;
    state.counters["requests"] = static_cast<double>(wire.requests) / times;
}

} // namespace

BENCHMARK(points_are_lost)
    ->ArgNames({"compare", "changed_1_of"})
    ->Args({0, 1000})
    ->Args({1, 1000})
    ->Args({1, 1'000'000})
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime()
    ->UseRealTime();
