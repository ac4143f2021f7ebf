#ifndef REPLICA_TEST_FUZZ_PAGES_DOOR_HPP
#define REPLICA_TEST_FUZZ_PAGES_DOOR_HPP

// A database file that is looked at without SQLite. Whatever it holds: what is read of its pages is
// what SQLite reads of a file that SQLite finds sound, and of any other nothing is read beyond its
// end. Inputs: change.hpp.

#include "change.hpp"
#include "node.hpp"
#include <replica/sqlite/check.hpp>
#include <replica/sqlite/glance.hpp>
#include <replica/sqlite/page_file.hpp>
#include <replica/sqlite/page_tables.hpp>
#include <replica/sqlite/sync_table.hpp>

#include <support/of_kind.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace replica::fuzz {

template <class Kind>
struct PagesDoor {
    using S = test::SchemaOf<Kind>;

    void operator()(std::string_view input) const {
        Node<Kind>& node = fresh_node<Kind>();
        change_upload(node, input);
        const auto by_pages = seen([&] { return by_its_pages(node); });
        const auto asked = seen([&] { return ask_sqlite(node); });
        if (by_pages && asked) {
            require(by_pages->info == asked->info, "another info");
            require(by_pages->incoming == asked->incoming, "other incoming points");
            require(by_pages->outgoing == asked->outgoing, "other outgoing points");
            require(by_pages->point == asked->point, "another point of p");
            require(by_pages->last_heard == asked->last_heard, "heard at another time");
            require(by_pages->may_have_tombstones || !asked->may_have_tombstones,
                    "a tombstone is not seen");
        }
    }

private:
    struct Seen {
        typename Kind::info_type info;
        std::vector<SyncPoint> incoming;
        std::vector<SyncPoint> outgoing;
        std::int64_t point = -1;
        Timestamp last_heard;
        bool may_have_tombstones = false;
    };

    template <class Look>
    [[nodiscard]] static std::optional<Seen> seen(Look look) {
        try {
            return look();
        } catch (const sqlite::NotPlain&) {
            return std::nullopt; // SQLite is asked
        } catch (const Failure&) {
            return std::nullopt;
        }
    }

    [[nodiscard]] static Seen by_its_pages(Node<Kind>& node) {
        sqlite::PageFile file(node.upload, node.vfs.name());
        const sqlite::PageFile::Snapshot snapshot(file);
        bool unknown = false;
        sqlite::PageTables tables(file, sqlite::approved_schemas<S>(), unknown);
        return {S::read_info(tables),
                sqlite::glance::sync_points(tables, Direction::incoming),
                sqlite::glance::sync_points(tables, Direction::outgoing),
                sqlite::glance::sync_point(tables, "p", Direction::incoming),
                sqlite::glance::last_heard(tables),
                sqlite::glance::has_tombstones<S>(tables)};
    }

    [[nodiscard]] static std::optional<Seen> ask_sqlite(Node<Kind>& node) {
        sqlite::Connection connection(
            node.upload, sqlite::Connection::Mode::existing, [](int, Instant) { return false; },
            Instant(), node.vfs.name());
        if (connection.text("PRAGMA integrity_check") != "ok") {
            return std::nullopt;
        }
        sqlite::SyncTable incoming(connection, Direction::incoming);
        sqlite::SyncTable outgoing(connection, Direction::outgoing);
        const std::string rows(S::rows);
        return Seen{S::read_info(connection),
                    incoming.points(),
                    outgoing.points(),
                    incoming.point("p"),
                    incoming.last_touched(),
                    connection.text("SELECT count(*) FROM " + rows + " WHERE deleted = 1") != "0"};
    }
};

using PagesDoors = OnBothKinds<PagesDoor>;

} // namespace replica::fuzz

#endif // REPLICA_TEST_FUZZ_PAGES_DOOR_HPP
