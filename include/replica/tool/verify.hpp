// Proves that the databases of this node are what its peers have, row for row and in every column,
// or says which are not and in what. The questions are those that a pass asks: the state of the
// peer's copy, a digest of all its rows, its shard ranges. What is equal costs some 3 kB for each
// database and peer, however many rows it has.
//
// Nothing is changed here. A peer does what it does at every question: it commits rows that wait
// beside its file, and recomputes a stored hash that is not that of its rows.
//
// Not compared is what belongs to one copy alone: its id, ROWIDs, sync points, what it has reported
// upwards, and when it came to be deleted or not: no replicator, ours or Swift's, evens that out.
#ifndef REPLICA_TOOL_VERIFY_HPP
#define REPLICA_TOOL_VERIFY_HPP

#include <replica/broker.hpp>
#include <replica/error.hpp>
#include <replica/ring.hpp>
#include <replica/rows/metadata.hpp>
#include <replica/send/decide.hpp>
#include <replica/settings.hpp>
#include <replica/storage/storage.hpp>
#include <replica/tool/databases.hpp>
#include <replica/tool/info.hpp>
#include <replica/tool/text.hpp>
#include <replica/transport.hpp>
#include <replica/words/compare.hpp>
#include <replica/words/message.hpp>
#include <replica/words/row_digests.hpp>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <boost/json/value_from.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica::tool {

/// What became of one database and one peer.
enum class Verdict {
    same,
    differs,
    unknown, ///< The peer could not be asked, or not about all.
};

/// One database and one peer, or a database that cannot be compared at all.
struct Finding {
    Verdict verdict = Verdict::same;
    std::string path;
    std::string peer;            ///< "10.0.0.1:6201/sdb"; empty: the copy here.
    std::vector<std::string> in; ///< Where the two differ: names of columns, "rows", "copy"...
    std::string why;             ///< Why it is unknown.

    [[nodiscard]] boost::json::object json() const {
        return {{"verdict", verdict == Verdict::same      ? "same"
                            : verdict == Verdict::differs ? "differs"
                                                          : "unknown"},
                {"path", path},
                {"peer", peer},
                {"in", boost::json::value_from(in)},
                {"why", why}};
    }

    /// In words, to stand behind others: " in rows, put_timestamp  the reason".
    [[nodiscard]] std::string text() const {
        std::string text;
        for (const std::string& each : in) {
            text += (text.empty() ? " in " : ", ") + each;
        }
        return text + (why.empty() ? "" : "  " + printable(why));
    }
};

namespace detail {

/// Columns of the info of one copy alone.
inline constexpr std::array own_columns{"id",
                                        "max_row",
                                        "metadata",
                                        "status_changed_at",
                                        "reported_put_timestamp",
                                        "reported_delete_timestamp",
                                        "db_state",
                                        "shard_max_row",
                                        "reported_object_count",
                                        "reported_bytes_used",
                                        "x_container_sync_point1",
                                        "x_container_sync_point2"};

[[nodiscard]] inline bool is_time(std::string_view column) {
    return column.ends_with("_at") || column.ends_with("timestamp");
}

/// A value in the form in which two of them are compared: "0" and "0000000000.00000" are one time.
[[nodiscard]] inline boost::json::value comparable(std::string_view column,
                                                   const boost::json::value& value) {
    const auto* const text = value.if_string();
    if (text == nullptr || !is_time(column)) {
        return value;
    }
    return boost::json::value(
        timestamp_or_zero(std::string_view(text->data(), text->size())).internal());
}

/// Adds the names of the columns in which two infos differ.
template <class Info>
void compare_infos(const Info& here, const Info& there, std::vector<std::string>& in) {
    const auto ours = object_of(here);
    const auto theirs = object_of(there);
    for (const auto& [name, value] : ours) {
        const std::string_view column(name.data(), name.size());
        if (std::ranges::find(own_columns, column) == own_columns.end() &&
            comparable(column, value) != comparable(column, theirs.at(name))) {
            in.emplace_back(column);
        }
    }
    const auto sorted = [](const std::string& text) {
        const auto stored = Metadata::parse_stored(text);
        auto items = stored.items();
        std::ranges::sort(items, {}, &MetadataItem::key);
        return items;
    };
    if (here.metadata != there.metadata && (sorted(here.metadata) != sorted(there.metadata))) {
        in.emplace_back("metadata");
    }
}

} // namespace detail

/// Compares databases of this node with those of peers. `transport` and `broker` must outlive it;
/// the broker should not migrate. Not thread safe.
template <Broker B, RingVersion R, Transport T>
class Verifier {
    using Database = typename B::database_type;
    using Info = info_type_of<B>;
    using Kind = typename B::kind_type;

public:
    /// `local`: the id of the device that databases lie on is looked for by its name among these.
    /// `key`: of the digests; a random number, so that nobody can choose rows that look alike.
    Verifier(Settings settings, B& broker, R ring, T& transport, std::vector<Device> local,
             std::uint64_t key, std::stop_token stop = {})
        : settings_(std::move(settings)), broker_(&broker), ring_(std::move(ring)),
          transport_(&transport), local_(std::move(local)), key_(key), stop_(std::move(stop)) {}

    /// The database at `path` and each primary but its own device. A copy on another device than a
    /// primary is compared as well. Never throws for what is wrong with the database.
    [[nodiscard]] std::vector<Finding> check(const std::string& path) {
        std::vector<Finding> findings;
        try {
            check_open(path, findings);
        } catch (const Failure& failure) {
            if (failure.error() != Error::missing && failure.error() != Error::moved) {
                findings.push_back({Verdict::unknown, path, {}, {}, failure.what()});
            } // else it has just left
        }
        return findings;
    }

    /// The partitions on the device at `root`.
    [[nodiscard]] std::vector<PartitionDirectory> partitions(const std::string& root) {
        return partitions_of(broker_->disk(), root, Kind::datadir, ring_.partition_count());
    }

    /// Calls `use` with the path of each database of a partition. Throws Failure if a directory
    /// cannot be read.
    template <std::invocable<const std::string&> Use>
    void each_in(const PartitionDirectory& partition, Use use) {
        each_database(broker_->disk(), partition.path, use,
                      [](const Failure& /*failure*/) { throw; });
    }

    /// As each_in, of all partitions on the device at `root`.
    template <std::invocable<const std::string&> Use>
    void each_on(const std::string& root, Use use) {
        for (const PartitionDirectory& partition : partitions(root)) {
            each_in(partition, use);
        }
    }

    /// Calls `use` with the path of the database with this hash on the device at `root`, if it is
    /// there.
    template <std::invocable<const std::string&> Use>
    void each_named(const std::string& root, const std::string& hash, Use use) {
        const auto place = Place::on(root, Kind::datadir, ring_.partition(hash), hash);
        if (broker_->disk().stat(place.directory)) {
            if (const auto found = storage::find_database(broker_->disk(), place.directory)) {
                use(*found);
            }
        }
    }

private:
    void check_open(const std::string& path, std::vector<Finding>& findings) {
        const auto place = Place::of(path, Kind::datadir);
        auto database = broker_->open(path, after(Seconds(25)));
        const Info info = database.info();
        const std::uint32_t partition = ring_.partition(place.hash);
        const RowScan scan = database.scan_rows(key_, 1, std::numeric_limits<std::int64_t>::max());
        if (!scan.sound) {
            findings.push_back({Verdict::differs, path, {}, {"stored hash or sums"}, {}});
        }
        if (storage::has_pending(broker_->disk(), path)) {
            findings.push_back(
                {Verdict::unknown, path, {}, {}, "rows wait beside the file and are not compared"});
        }
        for (const Device& peer : ring_.primaries(partition)) {
            if (!is_here(place, peer) && !stop_.stop_requested()) {
                findings.push_back({Verdict::same, path, name_of(peer), {}, {}});
                const Request request{peer.device, std::to_string(partition), place.hash, {}, true};
                compare(database, info, scan, peer, request, findings.back());
            }
        }
    }

    [[nodiscard]] bool is_here(const Place& place, const Device& device) const {
        return place.device_name() == device.device &&
               std::ranges::find(local_, device.id, &Device::id) != local_.end();
    }

    void compare(Database& database, const Info& info, const RowScan& scan, const Device& device,
                 const Request& request, Finding& finding) {
        auto peer = transport_->peer(device);
        const auto state = ask(peer, request, message::encode(message::Sync::point_query(info.id)));
        if (!state) {
            return give_up(finding, state.error().what);
        }
        if (state->status == 404) {
            finding.verdict = Verdict::differs;
            finding.in.emplace_back("copy");
            return;
        }
        try {
            if (!state->success()) {
                return give_up(finding,
                               "answered " + std::to_string(state->status) + ' ' + state->reason);
            }
            const auto remote = message::decode_reply<Info>(state->body);
            detail::compare_infos(info, remote.info, finding.in);
            compare_rows(peer, request, scan, finding);
            if constexpr (requires { Kind::decode_shard_ranges(boost::json::value()); }) {
                if (info.shard_max_row >= 0 || remote.info.shard_max_row >= 0) {
                    compare_ranges(database, peer, request, finding);
                }
            }
        } catch (const Failure& failure) {
            give_up(finding, failure.what());
        }
        if (!finding.in.empty()) { // that much is known
            finding.verdict = Verdict::differs;
        }
    }

    template <Peer P>
    void compare_rows(P& peer, Request request, const RowScan& scan, Finding& finding) {
        request.only_ours = true;
        const message::Compare question{key_, scan.digests.sums()};
        const auto reply = ask(peer, request, message::encode(question), Seconds(3600));
        if (!reply) {
            return give_up(finding, "its rows cannot be compared: " + reply.error().what);
        }
        if (!reply->success()) {
            return give_up(finding, "its rows cannot be compared: answered " +
                                        std::to_string(reply->status) + ' ' + reply->reason);
        }
        const auto answer = message::decode_compared(reply->body, 1);
        if (!answer.unlike.empty()) {
            finding.in.emplace_back("rows");
        }
        if (!answer.sound) {
            finding.in.emplace_back("stored hash or sums there");
        }
    }

    template <Peer P>
    void compare_ranges(Database& database, P& peer, const Request& request, Finding& finding) {
        const auto reply = ask(peer, request, message::encode_get_shard_ranges());
        if (!reply || !reply->success()) {
            return give_up(finding, "its shard ranges cannot be read");
        }
        boost::system::error_code code;
        auto theirs = Kind::decode_shard_ranges(boost::json::parse(reply->body, code));
        auto ours = database.shard_ranges();
        for (auto* const ranges : {&ours, &theirs}) {
            std::ranges::sort(*ranges, {}, &ShardRange::name);
            for (ShardRange& range : *ranges) {
                range.reported = 0;
            }
        }
        if (ours != theirs) {
            finding.in.emplace_back("shard_range");
        }
    }

    static void give_up(Finding& finding, std::string why) {
        finding.verdict = Verdict::unknown;
        finding.why = std::move(why);
    }

    template <Peer P>
    [[nodiscard]] Result<Reply> ask(P& peer, Request request, std::string body,
                                    Seconds more = Seconds(0)) {
        request.body = std::move(body);
        return peer.send(request, after(settings_.node_timeout + more), stop_);
    }

    [[nodiscard]] Instant after(Seconds seconds) {
        return broker_->clock().monotonic() + to_duration(seconds);
    }

    Settings settings_;
    B* broker_;
    R ring_;
    T* transport_;
    std::vector<Device> local_;
    std::uint64_t key_;
    std::stop_token stop_;
};

} // namespace replica::tool

#endif
