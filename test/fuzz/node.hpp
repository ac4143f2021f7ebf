#ifndef REPLICA_TEST_FUZZ_NODE_HPP
#define REPLICA_TEST_FUZZ_NODE_HPP

// One machine with the shipped broker and receiver on a simulated disk, a database with rows that
// were acknowledged, and a file of a peer in tmp. It is put back into this state for each input.

#include "door.hpp"
#include <replica/rpc.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sim/disk.hpp>
#include <replica/sim/vfs.hpp>
#include <replica/storage/place.hpp>
#include <replica/storage/storage.hpp>

#include <support/of_kind.hpp>

#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace replica::fuzz {

template <class Kind>
class Node {
public:
    using Broker = test::BrokerOf<Kind, SimDisk, SimClock>;
    using Info = typename Kind::info_type;
    using Row = typename Kind::row_type;

    static constexpr const char* root = "/srv/node";
    static constexpr const char* device = "/srv/node/sda";

    Node()
        : vfs(std::string("fuzz ") + std::string(Kind::name), disk, 1),
          broker(disk, clock, SqliteOptions{.page_rows = 4, .vfs = vfs.name()}) {
        disk.mount(device);
        vfs.seed_sqlite();
        make(path, {"one", "two", "gone"});
        make(upload, {"one", "three"});
        base_ = disk.dump();
    }

    /// As in the beginning. The receiver is a new one.
    void restore() {
        for (const Entry& entry : disk.list(device)) {
            disk.remove_tree(std::string(device) + '/' + entry.name);
        }
        for (const auto& [name, bytes] : base_) {
            if (!name.ends_with('/')) {
                disk.write(name, bytes);
            }
        }
        vfs.seed_sqlite();
        server.emplace(settings(), broker);
    }

    Reply ask(std::string body) {
        return server->handle({"sda", "1", hash, std::move(body), true});
    }

    [[nodiscard]] auto open() { return broker.open(path, soon()); }
    [[nodiscard]] Instant soon() const { return clock.monotonic() + std::chrono::seconds(1); }

    [[nodiscard]] std::vector<Row> rows() {
        return open().items_since(-1, std::numeric_limits<std::int64_t>::max());
    }

    /// The files, without the locks of directories and without directories.
    [[nodiscard]] std::map<std::string, std::string> files() const {
        auto all = disk.dump();
        std::erase_if(all, [](const auto& file) {
            return file.first.ends_with('/') || file.first.ends_with("/.lock");
        });
        return all;
    }

    /// No acknowledged row is lost, and the database would pass for one that comes from elsewhere.
    void require_whole() {
        std::set<std::string> names;
        for (const Row& row : rows()) {
            names.insert(row.name);
        }
        for (const char* name : {"one", "two", "gone"}) {
            require(names.contains(name), std::string("lost the row ") + name);
        }
        if (has_too_high_rowids()) {
            return;
        }
        const std::string copy = std::string(device) + "/tmp/copy";
        disk.write(copy, disk.content(path)->bytes);
        try {
            require(!broker.open_upload(copy, Instant::max()).mend_sums(),
                    "hash or sums are wrong");
        } catch (const Failure& failure) {
            throw Broken(std::string("would not be taken from elsewhere: ") + failure.what());
        }
        disk.remove(copy);
    }

    /// A file whose last ROWID is the highest that is taken from elsewhere has a higher one after
    /// the next row, and is taken nowhere else (defect 73).
    [[nodiscard]] bool has_too_high_rowids() {
        return broker.open(path, Instant::max()).info().max_row >
               std::numeric_limits<std::int64_t>::max() / 2;
    }

    SimClock clock;
    SimDisk disk{clock};
    SimVfs vfs;
    Broker broker;
    std::string hash = HashPath{"", "changeme"}(info().name());
    std::string directory = std::string(device) + '/' + storage_directory(Kind::datadir, "1", hash);
    std::string path = directory + '/' + hash + ".db";
    std::string upload = std::string(device) + "/tmp/upload";
    std::optional<RpcServer<Broker>> server{};

    [[nodiscard]] static Info info() {
        Info info;
        info.account = "a";
        if constexpr (requires { info.container; }) {
            info.container = "c";
        }
        return info;
    }

    /// A row of a client, written now.
    [[nodiscard]] Row row(const std::string& name, bool deleted = false) const {
        clock.advance(Seconds(1));
        Row row;
        row.name = name;
        row.deleted = deleted ? 1 : 0;
        const std::string now = clock.now().internal();
        if constexpr (requires { row.created_at; }) {
            row.created_at = now;
            row.size = deleted ? 0 : 7;
            row.etag = "e";
            row.content_type = "text/plain";
        } else {
            row.put_timestamp = deleted ? "0" : now;
            row.delete_timestamp = deleted ? now : "0";
        }
        return row;
    }

private:
    [[nodiscard]] static Settings settings() {
        Settings settings;
        settings.devices = root;
        settings.hash_path_suffix = "changeme";
        settings.seed = 1;
        return settings;
    }

    void make(const std::string& at, const std::vector<std::string>& names) {
        Info about = info();
        about.id = "made-" + storage::base(at).substr(0, 4);
        auto database = broker.create(at, about);
        for (const std::string& name : names) {
            database.put(row(name, name == "gone"));
        }
    }

    std::map<std::string, std::string> base_;
};

/// Made once, used for all inputs.
template <class Kind>
[[nodiscard]] Node<Kind>& fresh_node() {
    static Node<Kind> node;
    node.restore();
    return node;
}

} // namespace replica::fuzz

#endif // REPLICA_TEST_FUZZ_NODE_HPP
