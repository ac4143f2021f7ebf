// What a REPLICATE costs beside the work it asks for: one request and its reply over loopback, by
// the real client and the real server, with a handler that does nothing. Goals: requests per second
// and CPU time per request for one thread and for several, for a sync (230 bytes) and for a batch
// of rows (250 kB), on kept connections and on a new one each time. Not a goal: what SQLite adds.

#include <replica/beast/server.hpp>
#include <replica/beast/transport.hpp>

#include <benchmark/benchmark.h>

#include <string>

namespace {

using namespace replica;

constexpr std::int64_t sync_size = 230;      // the body of a container's sync
constexpr std::int64_t batch_size = 250'000; // merge_items with 1000 rows

BeastServer& server() {
    static BeastServer running(
        [] {
            ServerOptions options;
            options.ip = "127.0.0.1";
            return options;
        }(),
        [](const Request&) {
            return Reply{200, "text/html; charset=UTF-8", std::string(690, 'x'), {}};
        });
    return running;
}

// What must not be repeated gets a connection of its own: see BeastPeer.
void replicate(benchmark::State& state, bool kept) {
    static const BeastTransport transport;
    Device device;
    device.device = "sdb1";
    device.replication_ip = "127.0.0.1";
    device.replication_port = server().port();
    BeastPeer peer = transport.peer(device);
    const Request request{"sdb1", "906", "e28cc9c78696a68b7920b82ab697f9c3",
                          std::string(static_cast<std::size_t>(state.range(0)), 'x'), kept};
    for (auto _ : state) {
        const auto deadline = SystemClock().monotonic() + to_duration(Seconds{10});
        const auto reply = peer.send(request, deadline, {});
        if (reply.has_error() || reply->status != 200) {
            state.SkipWithError(reply.has_error() ? reply.error().what.c_str() : "not a 200");
            break;
        }
    }
    state.SetItemsProcessed(state.iterations());
    state.SetBytesProcessed(state.iterations() * state.range(0));
}

void kept_connection(benchmark::State& state) {
    replicate(state, true);
}
void new_connection(benchmark::State& state) {
    replicate(state, false);
}

} // namespace

BENCHMARK(kept_connection)->Arg(sync_size)->Arg(batch_size)->UseRealTime()->Threads(1)->Threads(4);
BENCHMARK(new_connection)->Arg(sync_size)->UseRealTime()->Threads(1)->Threads(4);
