// What one database file is: all that swift-container-info and swift-account-info show, and what
// they do not: both sync tables, the notes of this library, rows that wait beside the file, and
// whether the file lies where its name says. Nothing is changed, and no server has to run.
#ifndef REPLICA_TOOL_INFO_HPP
#define REPLICA_TOOL_INFO_HPP

#include <replica/broker.hpp>
#include <replica/rows/metadata.hpp>
#include <replica/send/batch_size.hpp>
#include <replica/storage/storage.hpp>
#include <replica/words/hash_path.hpp>
#include <replica/words/info.hpp>
#include <replica/words/members.hpp>
#include <replica/words/notes.hpp>

#include <boost/hana/accessors.hpp>
#include <boost/hana/first.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/second.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace replica::tool {

/// A struct that Hana knows, as an object with the names of its members.
template <class Struct>
[[nodiscard]] boost::json::object object_of(const Struct& from) {
    boost::json::object object;
    boost::hana::for_each(boost::hana::accessors<Struct>(), [&](const auto& accessor) {
        const auto& member = boost::hana::second(accessor)(from);
        auto& place = object[boost::hana::first(accessor).c_str()];
        if constexpr (requires { member.has_value(); }) {
            place = member ? boost::json::value(*member) : boost::json::value();
        } else {
            place = member;
        }
    });
    return object;
}

namespace detail {

template <class D>
[[nodiscard]] boost::json::object points_of(D& database, Direction direction, bool notes) {
    boost::json::object points;
    for (const SyncPoint& point : database.sync_points(direction)) {
        if (point.remote_id.starts_with(notes::prefix) == notes) {
            points[point.remote_id] = point.sync_point;
        }
    }
    return points;
}

} // namespace detail

/// All that is known of `database`, which `broker` has opened. `hash_path`: what swift.conf says,
/// to tell whether the file lies in its place. Throws Failure if the file cannot be read.
template <Broker B>
[[nodiscard]] boost::json::object info_of(B& broker, typename B::database_type& database,
                                          const std::string& path,
                                          const std::optional<HashPath>& hash_path = {}) {
    using Kind = typename B::kind_type;
    const auto info = database.info();
    boost::json::object about{{"path", path}, {"kind", Kind::name}};
    if (const auto status = broker.disk().stat(path)) {
        about["bytes"] = status->size;
    }
    about["pending"] = storage::has_pending(broker.disk(), path);
    if (hash_path) {
        const std::string_view file =
            std::string_view(path).substr(path.rfind('/') + 1); // <hash>.db, <hash>_<epoch>.db
        about["in_place"] = file.substr(0, file.find_first_of("._")) == (*hash_path)(info.name());
    }
    for (auto& [key, value] : object_of(info)) {
        if (key != "metadata") {
            about[key] = value;
        }
    }
    boost::json::object metadata;
    const auto stored = Metadata::parse_stored(info.metadata);
    for (const MetadataItem& item : stored.items()) {
        metadata[item.key] = boost::json::object{{"value", item.value}, {"time", item.time}};
    }
    about["metadata"] = std::move(metadata);
    about["incoming"] = detail::points_of(database, Direction::incoming, false);
    about["outgoing"] = detail::points_of(database, Direction::outgoing, false);
    about["notes"] = detail::points_of(database, Direction::outgoing, true);
    if constexpr (requires { database.shard_ranges(); }) {
        boost::json::array ranges;
        for (const ShardRange& range : database.shard_ranges()) {
            ranges.push_back(object_of(range));
        }
        about["shard_ranges"] = std::move(ranges);
    }
    return about;
}

/// Which rows to show.
struct RowFilter {
    std::optional<std::string> name{}; ///< Only this one.
    std::string prefix{};              ///< Only names that begin so.
    std::int64_t above = -1;           ///< Only ROWIDs above this.
    std::int64_t most = -1;            ///< So many; -1: all.
    bool live = true;
    bool deleted = true; ///< Tombstones.
};

/// Calls `show` with each row that the filter lets pass, in the order of ROWIDs, in short reads.
/// What is written meanwhile may be shown or not. Returns how many were shown.
template <class D, class Show>
std::int64_t for_each_row(D& database, const RowFilter& filter, Show show) {
    constexpr std::int64_t at_once = 1000;
    std::int64_t shown = 0;
    std::int64_t point = filter.above;
    const auto next = [&] {
        std::size_t left = BatchSize::most_read;
        return first_items(database, point, at_once, left);
    };
    for (auto rows = next(); !rows.empty(); rows = next()) {
        for (const auto& row : rows) {
            point = row.rowid;
            const bool wanted = (!filter.name || row.name == *filter.name) &&
                                row.name.starts_with(filter.prefix) &&
                                (row.deleted != 0 ? filter.deleted : filter.live);
            if (wanted && shown == filter.most) {
                return shown;
            }
            if (wanted) {
                show(row);
                ++shown;
            }
        }
    }
    return shown;
}

} // namespace replica::tool

#endif
