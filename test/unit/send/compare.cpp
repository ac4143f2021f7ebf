#include <replica/send/compare.hpp>

#define BOOST_TEST_MODULE send_compare
#include <boost/test/unit_test.hpp>

#include <support/duo.hpp>

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

using namespace replica;
using namespace replica::test;
using decide::Outcome;

namespace {

using Kinds = std::tuple<AccountKind, ContainerKind>;
using Said = std::vector<std::string>;

constexpr int common = 100;

const Said compared{"sync 200", "compare 200", "merge_items 202", "merge_syncs 202"};
const Said all_rows{"sync 200", "merge_items 202", "merge_syncs 202"};

/// Two nodes with 100 rows in common that know nothing of each other, one row on each side, and one
/// that is newer here and one that is newer there.
template <class Kind>
struct Lost : Duo<Kind> {
    Lost() {
        this->nodes.create(1, this->name);
        this->settings.compare_rows = 10;
        std::vector<typename Kind::row_type> rows;
        for (int i = 0; i < common; ++i) {
            rows.push_back(this->nodes.next_row("both" + std::to_string(i), 1, false));
        }
        this->open(0).merge_items(rows, "");
        this->open(1).merge_items(rows, "");
        this->nodes.put(0, this->name, "ours");
        this->nodes.put(1, this->name, "theirs");
        this->nodes.put(0, this->name, "both0", 2);
        this->nodes.put(1, this->name, "both1", 2);
    }

    [[nodiscard]] std::int64_t noted_there() {
        return this->open(1).sync_point(this->open(0).info().id, Direction::incoming);
    }
    [[nodiscard]] std::int64_t noted_here() {
        return this->open(0).sync_point(this->open(1).info().id, Direction::outgoing);
    }

    void require_done() {
        const std::int64_t last = this->open(0).info().max_row;
        BOOST_TEST(noted_there() == last);
        BOOST_TEST(noted_here() == last);
        require_all_there();
    }

    /// No row of ours is missing there, and none is older.
    void require_all_there() {
        auto there = this->open(1);
        const auto before = there.info();
        for (const auto& row : this->open(0).items_since(-1, 10'000)) {
            there.merge_items(std::span(&row, 1), "");
        }
        BOOST_TEST(there.info().hash == before.hash);
        BOOST_TEST(there.info().bytes_used == before.bytes_used);
    }

    Said replicated() {
        BOOST_TEST((*this->replicate() == Outcome::done));
        return this->said();
    }

    [[nodiscard]] Takers::Answer known() {
        return this->memory.comparers.of(this->nodes.ring().devices()[1], this->clock.monotonic());
    }
};

using Containers = Lost<ContainerKind>;

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(only_rows_that_differ_go_over_and_the_points_are_there_again, Kind,
                              Kinds) {
    Lost<Kind> duo;
    BOOST_TEST(duo.replicated() == compared, boost::test_tools::per_element());
    BOOST_TEST(duo.stats().rows == 3); // ours, and both rows that are newer on one side
    BOOST_TEST(duo.stats().diff == 1);
    duo.require_done();
    BOOST_TEST(duo.replicated() == Said{"sync 200"}, boost::test_tools::per_element());
    BOOST_TEST(duo.stats().no_change == 1);
}

BOOST_AUTO_TEST_CASE(what_does_not_call_for_a_comparison_goes_as_ever) {
    struct Case {
        const char* what;
        void (*make)(Containers&);
    };
    const Case table[] = {
        {"switched off", [](Containers& duo) { duo.settings.compare_rows = 0; }},
        {"too few rows", [](Containers& duo) { duo.settings.compare_rows = 102; }},
        {"the peer lacks too many",
         [](Containers& duo) { duo.nodes.put_many(0, duo.name, "x", 5); }},
        {"the peer has many more",
         [](Containers& duo) { duo.nodes.put_many(1, duo.name, "x", 5); }},
        {"a point is left",
         [](Containers& duo) {
             duo.open(1).merge_sync_points(std::vector<SyncPoint>{{0, duo.open(0).info().id}},
                                           Direction::incoming);
         }},
        {"a stock server",
         [](Containers& duo) { duo.nodes.network().serves_stock(duo.there().ip, 6201); }},
    };
    for (const Case& each : table) {
        BOOST_TEST_CONTEXT(each.what) {
            Containers duo;
            duo.settings.rows_along = 0;
            each.make(duo);
            BOOST_TEST(duo.replicated() == all_rows, boost::test_tools::per_element());
            duo.require_done();
        }
    }
}

BOOST_AUTO_TEST_CASE(a_copy_that_leaves_sends_all_rows) {
    Containers duo;
    BOOST_TEST((*duo.replicate(true) == Outcome::done));
    BOOST_TEST(duo.said() == all_rows, boost::test_tools::per_element());
    duo.require_all_there();
}

BOOST_AUTO_TEST_CASE(a_server_that_does_not_know_the_question_is_left_alone_for_a_while) {
    for (const int status : {400, 500}) {
        Containers duo;
        duo.settings.rows_along = 0;
        duo.nodes.network().answer(duo.verb("compare"), {status, "text/plain", "unknown", ""}, 1);
        BOOST_TEST(duo.replicated().at(1) == "compare " + std::to_string(status));
        duo.require_done();
        BOOST_TEST((duo.known() == Takers::Answer::no));
        duo.open(0).renew_id();
        BOOST_TEST(duo.replicated() == all_rows, boost::test_tools::per_element());
        duo.clock.advance(Takers::ask_again);
        duo.open(0).renew_id();
        BOOST_TEST(duo.replicated().at(1) == "compare 200");
    }
}

BOOST_AUTO_TEST_CASE(any_other_refusal_is_a_failure_and_the_next_pass_compares_anew) {
    for (const int status : {404, 503, 507}) {
        Containers duo;
        duo.nodes.network().answer(duo.verb("compare"), {status, "text/plain", "", "sda is full"},
                                   1);
        BOOST_TEST(!duo.replicate());
        BOOST_TEST(duo.noted_there() == -1);
        BOOST_TEST(duo.noted_here() == -1);
        (void)duo.said();
        BOOST_TEST(duo.replicated() == compared, boost::test_tools::per_element());
        duo.require_done();
    }
}

BOOST_AUTO_TEST_CASE(an_answer_that_cannot_be_used_makes_all_rows_go) {
    Containers model;
    const std::string id = model.open(1).info().id;
    for (const std::string& body :
         {std::string(), std::string("{}"), std::string(R"({"id": "x", "sound": 1})"),
          message::encode(message::Compared{"another-file", true, {}}),
          message::encode(message::Compared{id, false, {}}),
          message::encode(message::Compared{id, true, {{5, 1, {}}}})}) {
        Containers duo;
        duo.settings.rows_along = 0;
        duo.nodes.network().answer(duo.verb("compare"), {200, "text/plain", body, ""}, 1);
        BOOST_TEST(duo.replicated() ==
                       (Said{"sync 200", "compare 200", "merge_items 202", "merge_syncs 202"}),
                   boost::test_tools::per_element());
        BOOST_TEST(duo.stats().rows == common + 1, body);
        duo.require_done();
    }
}

// Each request fails once, or its answer is lost: no point moves before the last one has arrived.
BOOST_AUTO_TEST_CASE(what_breaks_off_moves_no_point_and_is_repeated) {
    for (const char* const verb : {"compare", "merge_items", "merge_syncs"}) {
        for (const SimFault fault : {SimFault::silent, SimFault::lose_reply}) {
            Containers duo;
            duo.nodes.network().fail(duo.verb(verb), fault, 1);
            BOOST_TEST(!duo.replicate(), verb);
            BOOST_TEST(duo.noted_here() == -1);
            const bool arrived =
                std::string(verb) == "merge_syncs" && fault == SimFault::lose_reply;
            BOOST_TEST((duo.noted_there() == -1) != arrived);
            duo.clock.advance(Seconds(120));
            BOOST_TEST((*duo.replicate() == Outcome::done));
            BOOST_TEST(duo.noted_there() == duo.open(0).info().max_row);
            duo.require_all_there();
        }
    }
}

BOOST_AUTO_TEST_CASE(rows_that_come_meanwhile_here_go_by_the_new_point) {
    for (const char* const verb : {"compare", "merge_items", "merge_syncs"}) {
        Containers duo;
        bool once = true;
        duo.nodes.after(verb, [&] {
            if (once) {
                once = false;
                duo.nodes.put(0, duo.name, "late");
                duo.nodes.put(0, duo.name, "both2", 3);
                duo.nodes.erase(0, duo.name, "both3");
            }
        });
        const Said said = duo.replicated();
        BOOST_TEST(said == (Said{"sync 200", "compare 200", "merge_items 202", "merge_syncs 202",
                                 "merge_items 202", "merge_syncs 202"}),
                   boost::test_tools::per_element());
        duo.require_done();
    }
}

BOOST_AUTO_TEST_CASE(rows_that_come_meanwhile_there_are_newer_and_stay) {
    for (const char* const verb : {"compare", "merge_items"}) {
        Containers duo;
        duo.nodes.after(verb, [&] { duo.nodes.put(1, duo.name, "both0", 9); });
        BOOST_TEST(duo.replicated() == compared, boost::test_tools::per_element());
        BOOST_TEST(duo.noted_there() == duo.open(0).info().max_row);
        duo.require_all_there();
    }
}

BOOST_AUTO_TEST_CASE(a_peers_file_that_is_replaced_meanwhile_gets_no_point) {
    for (const char* const verb : {"compare", "merge_items"}) {
        Containers duo;
        duo.nodes.after(verb, [&] { duo.open(1).renew_id(); });
        BOOST_TEST(!duo.replicate(), verb);
        BOOST_TEST(duo.said().back() ==
                   (std::string(verb) == "compare" ? "merge_items 503" : "merge_syncs 503"));
        BOOST_TEST(duo.noted_there() == -1);
        BOOST_TEST(duo.noted_here() == -1);
    }
}

BOOST_AUTO_TEST_CASE(a_peers_file_that_was_replaced_before_it_was_compared_gets_all_rows) {
    Containers duo;
    duo.settings.rows_along = 0;
    duo.nodes.before("compare", [&] { duo.open(1).renew_id(); });
    BOOST_TEST(duo.replicated().size() == 4U);
    BOOST_TEST(duo.stats().rows == common + 1);
    BOOST_TEST(duo.noted_there() == duo.open(0).info().max_row);
}

BOOST_AUTO_TEST_CASE(a_new_id_of_our_own_meanwhile_moves_no_point_by_the_comparison) {
    Containers duo;
    duo.settings.rows_along = 0;
    const std::string id = duo.open(0).info().id;
    bool once = true;
    duo.nodes.after("merge_items", [&] {
        if (once) {
            once = false;
            duo.open(0).renew_id();
        }
    });
    (void)duo.replicate();
    BOOST_TEST(duo.stats().rows == 3 + common + 1);
    BOOST_TEST(duo.open(1).sync_point(duo.open(0).info().id, Direction::incoming) == -1);
    duo.require_all_there();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(our_own_wrong_hash_is_mended_and_all_rows_go, Kind, Kinds) {
    Lost<Kind> duo;
    duo.settings.rows_along = 0;
    const std::string hash = duo.open(0).info().hash;
    duo.here().store.execute(duo.path(), "UPDATE " + std::string(SchemaOf<Kind>::stat) +
                                             " SET hash = '0123456789abcdef0123456789abcdef'");
    BOOST_TEST(duo.replicated() == all_rows, boost::test_tools::per_element());
    BOOST_TEST(duo.open(0).info().hash == hash);
    BOOST_TEST(duo.journal.mentions("its hash or its sums"));
    duo.require_done();
}

BOOST_AUTO_TEST_CASE(a_wrong_hash_of_the_peers_is_mended_there_and_all_rows_go) {
    Containers duo;
    duo.settings.rows_along = 0;
    const std::string hash = duo.open(1).info().hash;
    duo.there().store.execute(duo.path(), "UPDATE container_info SET hash = "
                                          "'0123456789abcdef0123456789abcdef'");
    BOOST_TEST(duo.replicated() == compared, boost::test_tools::per_element());
    BOOST_TEST(duo.stats().rows == common + 1);
    duo.require_done();
}

BOOST_AUTO_TEST_CASE(more_than_one_pass_may_send_makes_the_rows_go_in_several_passes_as_ever) {
    Containers duo;
    duo.settings.rows_along = 0;
    duo.settings.per_diff = 1;
    duo.settings.max_diffs = 2;
    BOOST_TEST((*duo.replicate() == Outcome::progress));
    BOOST_TEST(duo.said() ==
                   (Said{"sync 200", "compare 200", "merge_items 202", "merge_items 202"}),
               boost::test_tools::per_element());
    BOOST_TEST(duo.noted_there() == 3); // row 1 has become another
    for (int pass = 0; duo.noted_there() < duo.open(0).info().max_row && pass < 100; ++pass) {
        (void)duo.replicate();
    }
    for (const std::string& each : duo.said()) {
        BOOST_TEST(each != "compare 200");
    }
    duo.require_done();
}

BOOST_AUTO_TEST_CASE(differing_rows_go_in_batches) {
    Containers duo;
    duo.settings.per_diff = 2;
    BOOST_TEST(duo.replicated() == (Said{"sync 200", "compare 200", "merge_items 202",
                                         "merge_items 202", "merge_syncs 202"}),
               boost::test_tools::per_element());
    duo.require_done();
}

// Defect 116: what the peer has reclaimed is no news, and the row that it has is killed.
BOOST_AUTO_TEST_CASE(an_old_deletion_does_not_come_back_but_deletes_what_is_there) {
    Containers duo;
    duo.nodes.erase(0, duo.name, "both5");
    duo.nodes.erase(0, duo.name, "gone there");
    duo.clock.advance(Seconds(8 * 86400));
    duo.settings.accept_stale = true; // both have been away for longer than reclaim_age
    BOOST_TEST(duo.replicated() == compared, boost::test_tools::per_element());
    BOOST_TEST(duo.noted_there() == duo.open(0).info().max_row);
    bool dead = false;
    for (const auto& row : duo.open(1).items_since(-1, 1000)) {
        BOOST_TEST(row.name != "gone there");
        dead = dead || (row.name == "both5" && row.deleted == 1);
    }
    BOOST_TEST(dead);
}

// The peer says that nothing differs, as it would if digests collided. The points are wrong then,
// and what the hashes show is sent in the second pass after.
BOOST_AUTO_TEST_CASE(rows_that_a_comparison_has_hidden_are_sent_when_the_contents_still_differ) {
    Containers duo;
    duo.settings.rows_along = 0;
    duo.nodes.network().answer(duo.verb("compare"),
                               {200, "text/plain",
                                message::encode(message::Compared{duo.open(1).info().id, true, {}}),
                                ""},
                               1);
    BOOST_TEST(duo.replicated() == (Said{"sync 200", "compare 200", "merge_syncs 202"}),
               boost::test_tools::per_element());
    BOOST_TEST(!duo.nodes.names(1, duo.name).contains("ours"));
    const auto rows = duo.open(1).items_since(-1, 10'000); // all of the peer's, as it would push
    duo.open(0).merge_items(rows, duo.open(1).info().id);
    for (int pass = 0; !duo.nodes.names(1, duo.name).contains("ours") && pass < 4; ++pass) {
        BOOST_TEST((*duo.replicate() == Outcome::done));
    }
    BOOST_TEST(duo.stats().diverged == 1);
    duo.require_all_there();
}

BOOST_AUTO_TEST_CASE(the_points_of_others_go_along_with_our_own) {
    Containers duo;
    duo.open(0).merge_sync_points(std::vector<SyncPoint>{{70, "third"}}, Direction::incoming);
    (void)duo.replicated();
    BOOST_TEST(duo.open(1).sync_point("third", Direction::incoming) == 70);
    duo.require_done();
}

// A third replica's row that is written anew here lies above the rows that were compared. The peer
// has it in neither form when the later rows do not arrive.
BOOST_AUTO_TEST_CASE(no_point_of_others_goes_before_a_row_that_was_written_anew_meanwhile) {
    for (const char* const verb : {"compare", "merge_items"}) {
        Containers duo;
        duo.open(0).merge_sync_points(std::vector<SyncPoint>{{70, "third"}}, Direction::incoming);
        bool once = true;
        duo.nodes.network().after([&](const SimExchange& exchange, const Request&) {
            if (exchange.verb == verb && once) {
                once = false;
                duo.nodes.put(0, duo.name, "ours", 3);
            } else if (exchange.verb == "merge_syncs") {
                duo.nodes.network().fail(duo.verb("merge_items"), SimFault::silent, 1);
            }
        });
        BOOST_TEST(!duo.replicate(), verb);
        BOOST_TEST(duo.noted_there() > 0); // what is there need not be compared again
        BOOST_TEST(duo.open(1).sync_point("third", Direction::incoming) == -1);
        duo.clock.advance(Seconds(120));
        BOOST_TEST((*duo.replicate() == Outcome::done));
        BOOST_TEST(duo.open(1).sync_point("third", Direction::incoming) == 70);
        BOOST_TEST(duo.noted_there() == duo.open(0).info().max_row);
        duo.require_all_there();
    }
}

BOOST_AUTO_TEST_CASE(our_rows_are_read_once_for_all_peers) {
    Containers duo;
    duo.with_task([&](auto& task, const Device& to) {
        BOOST_TEST(replicate_to_peer(task, to).has_value());
        BOOST_REQUIRE(task.own_rows.has_value());
        const std::uint64_t key = task.own_rows->key;
        duo.open(1).set_sync_point({-1, duo.open(0).info().id}, Direction::incoming);
        BOOST_TEST(replicate_to_peer(task, to).has_value());
        BOOST_TEST(task.own_rows->key == key);
        return 0;
    });
    BOOST_TEST(duo.said().size() == 8U); // the second time only the row that is newer there
}
