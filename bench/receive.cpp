// What a request costs the receiver, without the network: a question about a database that is in
// sync, rows that come along with a question, and a whole file that is put in place. Goals: time on
// one thread, files in the kernel's cache. Not a goal: the disk's own latency, which is in those
// two that write.

#include "make_rows.hpp"
#include "place.hpp"
#include <replica/rpc.hpp>
#include <replica/settings.hpp>
#include <replica/sqlite/container.hpp>
#include <replica/words/along.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/message.hpp>
#include <replica/words/put_file.hpp>
#include <replica/words/sha256.hpp>

#include <benchmark/benchmark.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using namespace replica;

/// A receiver with one device, and the file of a container with 100 rows, as a sender has it.
class Node {
public:
    Node()
        : root_(std::filesystem::path(bench::place.database("node")).parent_path().string()),
          server_(settings(), ContainerBroker()) {
        std::filesystem::create_directories(root_ + "/sda");
    }

    /// A new container: its place, and its file's bytes.
    struct Sent {
        std::string hash;
        std::string bytes;
        ContainerInfo info;
    };

    [[nodiscard]] Sent make(std::int64_t number) {
        ContainerInfo info;
        info.account = "a";
        info.container = "c" + std::to_string(number);
        Sent sent{HashPath{"", settings().hash_path_suffix}(info.name()), {}, {}};
        const std::string path = root_ + "/sent/" + sent.hash + ".db";
        {
            auto database = ContainerBroker().create(path, info);
            database.merge_items(bench::make_rows<ObjectRow>(0, 100), "");
            sent.info = database.info();
        }
        std::ifstream file(path, std::ios::binary);
        sent.bytes = std::string(std::istreambuf_iterator<char>(file), {});
        std::filesystem::remove_all(root_ + "/sent");
        return sent;
    }

    void send(const Sent& sent, std::string body, int wanted) {
        const Reply reply = server_.handle({"sda", "1", sent.hash, std::move(body), true, true});
        if (reply.status != wanted) {
            throw std::runtime_error("answered " + std::to_string(reply.status) + ' ' + reply.body);
        }
    }

    void put(const Sent& sent) {
        const auto size = static_cast<std::int64_t>(sent.bytes.size());
        const message::PutFile put{sent.info.id, 0, size, sha256(sent.bytes)};
        send(sent, message::encode(put, sent.bytes), 202);
        send(sent, message::encode_finish(message::CompleteRsync{sent.info.id, {}}), 204);
    }

private:
    [[nodiscard]] Settings settings() const {
        Settings settings;
        settings.devices = root_;
        settings.mount_check = false;
        settings.hash_path_suffix = "s";
        return settings;
    }

    std::string root_;
    RpcServer<ContainerBroker> server_;
};

[[nodiscard]] message::Sync question(const ContainerInfo& info) {
    return {info.max_row,
            info.hash,
            info.id,
            info.timestamps(),
            info.metadata,
            PolicyArguments{info.status_changed_at, info.count, info.storage_policy_index}};
}

void in_sync(benchmark::State& state) {
    Node node;
    const auto sent = node.make(0);
    node.put(sent);
    const std::string body = message::encode(question(sent.info));
    for (auto _ : state) {
        node.send(sent, body, 200);
    }
    state.SetItemsProcessed(state.iterations());
}

void behind(benchmark::State& state) {
    Node node;
    auto sent = node.make(0);
    node.put(sent);
    std::int64_t last = sent.info.max_row;
    for (auto _ : state) {
        const auto rows = bench::make_rows<ObjectRow>(last, 10);
        const auto along = message::encode_along(last, last + 10, rows, {});
        last += 10;
        sent.info.max_row = last;
        sent.info.hash = std::string(32, 'f');
        node.send(sent, message::encode_with(question(sent.info), along), 200);
    }
    state.SetItemsProcessed(state.iterations());
}

void missing(benchmark::State& state) {
    Node node;
    static std::int64_t number = 0; // the function is called several times
    for (auto _ : state) {
        state.PauseTiming();
        const auto sent = node.make(++number);
        state.ResumeTiming();
        node.send(sent, message::encode(question(sent.info)), 404);
        node.put(sent);
    }
    state.SetItemsProcessed(state.iterations());
}

} // namespace

BENCHMARK(in_sync);
BENCHMARK(behind);
BENCHMARK(missing);
