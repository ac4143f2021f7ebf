#ifndef REPLICA_TEST_SUPPORT_STORY_CLUSTER_HPP
#define REPLICA_TEST_SUPPORT_STORY_CLUSTER_HPP

// The words in which a scenario is told, whatever its nodes are made of: create, put, erase, pass,
// settle, compare. A cluster adds what depends on the machine: how nodes start and what breaks.

#include "table_ring.hpp"
#include <replica/clock.hpp>
#include <replica/replicator.hpp>
#include <replica/stats.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/json.hpp>
#include <replica/words/members.hpp>

#include <boost/hana/accessors.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica::test {

/// Remembers the reasons in events, for a look at what a pass did. Copies are the same journal.
/// Thread safety: any thread.
class Journal {
public:
    template <class Event>
    void operator()(const Event& event) const {
        if constexpr (std::same_as<Event, event::ClockJumped>) {
            add("clock jumped");
        } else if constexpr (std::same_as<Event, event::ClockDiffers>) {
            add("clock differs");
        } else if constexpr (requires { event.what; }) {
            add(std::string(event.what));
        } else if constexpr (requires { event.reason; }) {
            add(std::string(event.reason));
        }
    }

    /// How many lines hold the text.
    [[nodiscard]] std::ptrdiff_t count(std::string_view text) const {
        const std::scoped_lock guard(lines_->mutex);
        return std::ranges::count_if(lines_->lines, [&](const std::string& line) {
            return line.find(text) != std::string::npos;
        });
    }

    [[nodiscard]] bool mentions(std::string_view text) const { return count(text) > 0; }

private:
    struct Lines {
        std::mutex mutex;
        std::vector<std::string> lines;
    };

    void add(std::string line) const {
        const std::scoped_lock guard(lines_->mutex);
        lines_->lines.push_back(std::move(line));
    }

    std::shared_ptr<Lines> lines_ = std::make_shared<Lines>();
};

/// A database's directory entry: what a test needs to find it on every node.
template <class Info>
struct DatabaseName {
    Info info;
    std::string hash;
    std::uint32_t partition;
};

/// What every cluster can be told. `Made` has nodes numbered as the ring's devices, each with a
/// `broker`, `settings` and a `replicator`, and says how a database is seen without a pass:
/// has(at, name), info(at, name), stored(at, name) (its rows), check(at, name).
template <class Made, class Kind>
class StoryCluster {
public:
    using Info = typename Kind::info_type;
    using Row = typename Kind::row_type;
    using Name = DatabaseName<Info>;

    [[nodiscard]] Name name(const std::string& account, const std::string& container = "c") const {
        Info info;
        info.account = account;
        if constexpr (requires { info.container; }) {
            info.container = container;
        }
        const std::string hash = HashPath{"", "changeme"}(info.name());
        return {info, hash, made().ring().partition(hash)};
    }

    /// Where a database lies on a node, in its own partition or in another.
    [[nodiscard]] std::string path(std::size_t at, const Name& name) const {
        return path(at, name, name.partition);
    }
    [[nodiscard]] std::string path(std::size_t at, const Name& name,
                                   std::uint32_t partition) const {
        return made().device_path(at) + '/' +
               storage_directory(Kind::datadir, std::to_string(partition), name.hash) + '/' +
               name.hash + ".db";
    }

    /// Nodes that are primaries of a database, in ring order; then the others.
    [[nodiscard]] std::vector<std::size_t> primaries(const Name& name) const {
        std::vector<std::size_t> numbers;
        for (const Device& device : made().ring().primaries(name.partition)) {
            numbers.push_back(static_cast<std::size_t>(device.id));
        }
        return numbers;
    }
    [[nodiscard]] std::vector<std::size_t> others(const Name& name) const {
        std::vector<std::size_t> numbers;
        auto handoffs = made().ring().handoffs(name.partition);
        while (const auto device = handoffs.next()) {
            numbers.push_back(static_cast<std::size_t>(device->id));
        }
        return numbers;
    }

    void create(std::size_t at, const Name& name) { create(at, name, name.partition); }
    void create(std::size_t at, const Name& name, std::uint32_t partition) {
        made().node(at).broker.create(path(at, name, partition), name.info);
    }

    [[nodiscard]] auto open(std::size_t at, const Name& name) {
        return open(at, name, name.partition);
    }
    [[nodiscard]] auto open(std::size_t at, const Name& name, std::uint32_t partition) {
        return made().node(at).broker.open(path(at, name, partition),
                                           made().clock().monotonic() + std::chrono::seconds(30));
    }

    /// A client's write on one replica, a moment after the last.
    void put(std::size_t at, const Name& name, const std::string& row, std::int64_t size = 1) {
        open(at, name).put(next_row(row, size, false));
    }
    void erase(std::size_t at, const Name& name, const std::string& row) {
        open(at, name).put(next_row(row, 0, true));
    }
    void put_many(std::size_t at, const Name& name, const std::string& prefix, int count) {
        std::vector<Row> rows;
        made().clock().advance(Seconds(0.01));
        for (int i = 0; i < count; ++i) {
            rows.push_back(make_row(prefix + std::to_string(i), made().clock().now(), 1, false));
        }
        open(at, name).put(rows);
    }

    /// The row of a client's next write.
    [[nodiscard]] Row next_row(const std::string& name, std::int64_t size, bool deleted) {
        made().clock().advance(Seconds(0.01));
        return make_row(name, made().clock().now(), size, deleted);
    }

    [[nodiscard]] static Row make_row(const std::string& name, Timestamp at, std::int64_t size,
                                      bool deleted) {
        Row row;
        row.name = name;
        row.deleted = deleted ? 1 : 0;
        if constexpr (requires { row.created_at; }) {
            row.created_at = at.internal();
            row.size = size;
            row.content_type = deleted ? "application/deleted" : "text/plain";
            row.etag = deleted ? "noetag" : "etag-" + std::to_string(size);
        } else if constexpr (requires { row.changed_at; }) {
            row.changed_at = at.internal();
            row.record = deleted ? "" : "{\"size\": " + std::to_string(size) + '}';
        } else {
            row.put_timestamp = deleted ? "0000000001.00000" : at.internal();
            row.delete_timestamp = deleted ? at.internal() : "0";
            row.object_count = deleted ? 0 : 1;
            row.bytes_used = deleted ? 0 : size;
        }
        return row;
    }

    /// One pass on one node. Half a minute passes.
    Stats pass(std::size_t at, const Selection& selection = {}) {
        made().clock().advance(Seconds(30));
        return made().node(at).replicator->run_once({}, selection);
    }

    /// Passes on all nodes that are up, in turn; the sum of what they counted.
    Stats round() {
        Stats sum;
        for (std::size_t at = 0; at < made().size(); ++at) {
            if (made().node(at).up) {
                const Stats stats = pass(at);
                boost::hana::for_each(boost::hana::accessors<Stats>(), [&](auto pair) {
                    boost::hana::second(pair)(sum) += boost::hana::second(pair)(stats);
                });
            }
        }
        return sum;
    }

    /// Rounds until one that sends nothing and fails nowhere, at most `most`; how many it took, -1
    /// if they were not enough.
    int settle(int most = 12) {
        for (int i = 1; i <= most; ++i) {
            const Stats stats = round();
            if (stats.failure + stats.rows + stats.rsync + stats.remote_merge + stats.remove +
                    stats.diff_capped + stats.errors ==
                0) {
                return i;
            }
        }
        return -1;
    }

    /// The rows of a replica without their ROWIDs, which legitimately differ, by name.
    [[nodiscard]] std::vector<Row> rows(std::size_t at, const Name& name) {
        BOOST_REQUIRE_MESSAGE(made().has(at, name),
                              "node " << at << " has no copy of " << name.hash);
        std::vector<Row> result = made().stored(at, name);
        for (Row& row : result) {
            row.rowid = -1;
        }
        std::ranges::sort(result, {}, &Row::name);
        return result;
    }

    [[nodiscard]] std::set<std::string> names(std::size_t at, const Name& name) {
        std::set<std::string> result;
        for (const Row& row : rows(at, name)) {
            if (row.deleted == 0) {
                result.insert(row.name);
            }
        }
        return result;
    }

    /// Every primary is sound and has the same rows, columns, times, metadata and sums, and nobody
    /// else has any.
    void require_identical(const Name& name) {
        const auto places = primaries(name);
        const auto first = rows(places[0], name);
        const Info info = made().info(places[0], name);
        for (const std::size_t at : places) {
            BOOST_TEST((rows(at, name) == first), "node " << at << " differs in its rows");
            made().check(at, name);
            const Info other = made().info(at, name);
            BOOST_TEST(other.hash == info.hash);
            BOOST_TEST(other.count == info.count);
            BOOST_TEST(other.bytes_used == info.bytes_used);
            BOOST_TEST((sorted(other.metadata) == sorted(info.metadata)));
            BOOST_TEST((other.timestamps() == info.timestamps()));
            if constexpr (requires { info.storage_policy_index; }) {
                BOOST_TEST(other.storage_policy_index == info.storage_policy_index);
            }
        }
        for (const std::size_t at : others(name)) {
            BOOST_TEST(!made().has(at, name), "node " << at << " still has a copy");
        }
    }

    /// What nodes of all kinds have in common.
    [[nodiscard]] static Settings settings_of(std::size_t number) {
        Settings settings;
        settings.concurrency = 1;
        settings.databases_per_second = 0;
        settings.hash_path_suffix = "changeme";
        settings.seed = 100 + number;
        settings.policies = {0, 1};
        settings.push_files = false; // stories break the other way; see pushes()
        return settings;
    }

    /// A ring's device "sda" at this address.
    [[nodiscard]] static Device device_of(std::size_t number, const std::string& ip,
                                          std::uint16_t port) {
        Device device;
        device.id = static_cast<std::int64_t>(number);
        device.ip = device.replication_ip = ip;
        device.port = device.replication_port = port;
        device.device = "sda";
        device.weight = 100;
        return device;
    }

private:
    [[nodiscard]] Made& made() { return static_cast<Made&>(*this); }
    [[nodiscard]] const Made& made() const { return static_cast<const Made&>(*this); }

    /// Metadata without the order of its keys, which says nothing.
    [[nodiscard]] static std::map<std::string, std::string> sorted(const std::string& metadata) {
        std::map<std::string, std::string> result;
        if (!metadata.empty()) {
            const boost::json::value value = json::parse(metadata);
            for (const auto& [key, pair] : value.as_object()) {
                result[key] = boost::json::serialize(pair);
            }
        }
        return result;
    }
};

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_STORY_CLUSTER_HPP
