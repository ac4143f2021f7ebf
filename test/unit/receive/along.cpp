#include <replica/receive/along.hpp>

#define BOOST_TEST_MODULE receive_along
#include <boost/test/unit_test.hpp>

#include <support/duo.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

using Kinds = std::tuple<AccountKind, ContainerKind>;

const std::string sender = "sender-sda";

/// The second node's database, to which rows of `sender` come; it knows them up to `point`.
template <class Kind>
struct Receiving : Duo<Kind> {
    using Row = typename Kind::row_type;
    using Along = message::Along<Row>;

    explicit Receiving(std::int64_t point) {
        this->nodes.create(1, this->name);
        if (point >= 0) {
            this->open(1).merge_sync_points(std::vector<SyncPoint>{{point, sender}},
                                            Direction::incoming);
        }
    }

    /// Rows "r4" and "r5" with those ROWIDs.
    [[nodiscard]] Along rows(std::int64_t base, std::int64_t last) {
        Along along;
        along.base = base;
        along.last = last;
        along.items.source = sender;
        along.items.last_rowid = 5;
        for (const std::int64_t rowid : {4, 5}) {
            auto row = this->nodes.next_row("r" + std::to_string(rowid), 1, false);
            row.rowid = rowid;
            along.items.rows.push_back(row);
        }
        along.syncs.points = {{70, "third-sda"}};
        return along;
    }

    std::int64_t take(const std::optional<Along>& along) {
        auto database = this->open(1);
        const std::int64_t point = database.sync_point(sender, Direction::incoming);
        return merge_along<Kind>(database, database.info(), this->path(), along, sender, point,
                                 Timestamp{}, this->journal);
    }

    [[nodiscard]] std::int64_t point_of(const std::string& id) {
        return this->open(1).sync_point(id, Direction::incoming);
    }
};

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(rows_are_taken_if_they_would_have_been_the_next_request, Kind,
                              Kinds) {
    struct Case {
        const char* what;
        std::int64_t point;
        std::int64_t base;
        std::int64_t last;
        bool taken;
    };
    const Case table[] = {
        {"the rows above the point", 3, 3, 5, true},
        {"some are here", 4, 3, 5, true},
        {"nothing was here, all came", -1, -1, 5, true},
        {"the last rows were reclaimed", 3, 3, 9, true},
        {"a row lies between", 2, 3, 5, false},
        {"nothing was here, not all came", -1, 3, 5, false},
        {"all are here", 5, 3, 5, false},
        {"the point is of other rows under this id", 8, 3, 5, false},
    };
    for (const Case& each : table) {
        BOOST_TEST_CONTEXT(each.what) {
            Receiving<Kind> there(each.point);
            BOOST_TEST(there.take(there.rows(each.base, each.last)) ==
                       (each.taken ? each.last : -1));
            BOOST_TEST(there.nodes.names(1, there.name).size() == (each.taken ? 2U : 0U));
            BOOST_TEST(there.point_of(sender) == (each.taken ? each.last : each.point));
            BOOST_TEST(there.point_of("third-sda") == (each.taken ? 70 : -1));
        }
    }
}

BOOST_AUTO_TEST_CASE(a_question_without_rows_changes_nothing) {
    Receiving<ContainerKind> there(3);
    auto watched = there.open(1);
    const auto before = watched.version();
    BOOST_TEST(there.take(std::nullopt) == -1);
    BOOST_TEST(watched.version() == before);
}

BOOST_AUTO_TEST_CASE(rows_that_come_twice_are_merged_once) {
    Receiving<ContainerKind> there(3);
    const auto along = there.rows(3, 5);
    BOOST_TEST(there.take(along) == 5);
    auto watched = there.open(1);
    const auto before = watched.version();
    BOOST_TEST(there.take(along) == -1);
    BOOST_TEST(watched.version() == before);
}

BOOST_AUTO_TEST_CASE(rows_and_points_are_written_together_or_not_at_all) {
    Receiving<ContainerKind> there(3);
    auto along = there.rows(3, 5);
    along.items.rows[1].created_at = "never"; // refused when it is merged
    BOOST_CHECK_THROW(there.take(along), Failure);
    BOOST_TEST(there.nodes.names(1, there.name).empty());
    BOOST_TEST(there.point_of(sender) == 3);
    BOOST_TEST(there.point_of("third-sda") == -1);
}

BOOST_AUTO_TEST_CASE(whichever_call_of_the_disk_fails_rows_and_point_stay_together) {
    for (std::uint64_t n = 1;; ++n) {
        Receiving<ContainerKind> there(3);
        const auto along = there.rows(3, 5);
        there.there().disk.fail_at(n);
        try {
            (void)there.take(along);
        } catch (const Failure&) { // told to the sender, who asks again
        }
        const bool done = there.there().disk.fault_pending();
        there.there().disk.clear_faults();
        const std::size_t rows = there.nodes.names(1, there.name).size();
        BOOST_TEST((rows == 0U || rows == 2U), n);
        BOOST_TEST(there.point_of(sender) == (rows == 2U ? 5 : 3), n);
        if (done) {
            BOOST_TEST(n > 10U);
            return;
        }
    }
}

BOOST_AUTO_TEST_CASE(a_row_that_cannot_be_stored_is_told_and_the_point_moves_past_it) {
    Receiving<ContainerKind> there(3);
    auto along = there.rows(3, 5);
    along.items.rows.clear();
    along.items.set_aside = {"row 5: it has no name"};
    BOOST_TEST(there.take(along) == 5);
    BOOST_TEST(there.journal.mentions("row 5: it has no name"));
    BOOST_TEST(there.point_of(sender) == 5);
}

BOOST_AUTO_TEST_CASE(a_tombstone_that_was_reclaimed_here_does_not_come_back_along) {
    Receiving<ContainerKind> there(4);
    auto along = there.rows(3, 5);
    along.items.rows[0].deleted = 1;
    auto database = there.open(1);
    const Timestamp later = there.clock.now().plus(Seconds(3600));
    BOOST_TEST(merge_along<ContainerKind>(database, database.info(), there.path(),
                                          std::optional(along), sender, 4, later,
                                          there.journal) == 5);
    BOOST_TEST(there.nodes.names(1, there.name).size() == 1U);
}

// Peers hand on points, so a database may have one of its own id. A sender with this id has another
// file, and must take a new id before its rows count as known.
BOOST_AUTO_TEST_CASE(a_sender_with_the_id_of_this_database_gives_nothing) {
    Receiving<ContainerKind> there(3);
    auto database = there.open(1);
    const std::string own = database.info().id;
    BOOST_TEST(merge_along<ContainerKind>(database, database.info(), there.path(),
                                          std::optional(there.rows(3, 5)), own, 3, Timestamp{},
                                          there.journal) == -1);
    BOOST_TEST(there.nodes.names(1, there.name).empty());
}

BOOST_AUTO_TEST_CASE(a_container_that_is_being_sharded_takes_nothing_before_its_ranges) {
    Receiving<ContainerKind> there(3);
    auto database = there.open(1);
    auto info = database.info();
    info.sharding_initiated = true;
    BOOST_TEST(merge_along<ContainerKind>(database, info, there.path(),
                                          std::optional(there.rows(3, 5)), sender, 3, Timestamp{},
                                          there.journal) == -1);
}
