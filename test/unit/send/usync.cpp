#include <replica/send/usync.hpp>

#define BOOST_TEST_MODULE usync
#include <boost/test/unit_test.hpp>

#include <support/duo.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

using Kinds = std::tuple<AccountKind, ContainerKind>;
using Said = std::vector<std::string>;

/// A node with `rows` rows, a peer with an empty database; batches of 10, at most `most`.
template <class Kind>
struct Pair : Duo<Kind> {
    explicit Pair(int rows, std::int64_t most = 100) {
        this->settings.per_diff = 10;
        this->settings.max_diffs = most;
        this->nodes.create(1, this->name);
        if (rows > 0) {
            this->nodes.put_many(0, this->name, "row", rows);
        }
    }

    [[nodiscard]] std::string remote_id() { return this->open(1).info().id; }
    [[nodiscard]] std::string local_id() { return this->open(0).info().id; }

    Result<decide::Outcome> push(std::int64_t& point) {
        const std::string id = remote_id();
        return this->with_task([&](auto& task, const Device& device) {
            PeerSession peer(task.pass, task.heartbeat, device, task.place);
            auto outcome = push_rows(task, peer, id, point);
            task.record_reached();
            return outcome;
        });
    }
    Result<decide::Outcome> push() {
        std::int64_t point = -1;
        return push(point);
    }

    [[nodiscard]] std::size_t rows_there() { return this->nodes.rows(1, this->name).size(); }
    [[nodiscard]] std::int64_t noted_there() {
        return this->open(1).sync_point(local_id(), Direction::incoming);
    }
    [[nodiscard]] std::int64_t noted_here() {
        return this->open(0).sync_point(remote_id(), Direction::outgoing);
    }
};

using Containers = Pair<ContainerKind>;

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(all_rows_go_in_batches_then_the_points, Kind, Kinds) {
    Pair<Kind> duo(25);
    BOOST_TEST((*duo.push() == decide::Outcome::done));
    BOOST_TEST(duo.said() == (Said{"merge_items 202", "merge_items 202", "merge_items 202",
                                   "merge_syncs 202"}),
               boost::test_tools::per_element());
    BOOST_TEST(duo.rows_there() == 25U);
    BOOST_TEST(duo.noted_there() == 25);
    BOOST_TEST(duo.noted_here() == 25);
    BOOST_TEST(duo.stats().rows == 25);
    BOOST_TEST(duo.stats().diff == 1);
    BOOST_TEST(duo.stats().diff_capped == 0);
}

BOOST_AUTO_TEST_CASE(a_point_that_is_none_does_not_keep_the_others_back) {
    Containers duo(5);
    const std::vector<SyncPoint> points{{4, "x"}, {-1, "empty"}, {7, ""}, {8, "../y"}};
    duo.open(0).merge_sync_points(points, Direction::incoming); // as a Swift server would have them
    BOOST_TEST((*duo.push() == decide::Outcome::done));
    BOOST_TEST(duo.said() == (Said{"merge_items 202", "merge_syncs 202"}),
               boost::test_tools::per_element());
    BOOST_TEST(duo.open(1).sync_point("x", Direction::incoming) == 4);
    BOOST_TEST(duo.open(1).sync_points(Direction::incoming).size() == 2U); // and the sender's own
    BOOST_TEST(duo.noted_here() == 5);
}

BOOST_AUTO_TEST_CASE(batches_to_a_server_of_ours_grow_and_the_cap_counts_rows) {
    const auto batches = [](int rows, std::int64_t most, bool ours, double answer = 0) {
        Containers duo(rows, most);
        std::vector<std::size_t> sizes;
        duo.nodes.network().before([&](const SimExchange& exchange, const Request& request) {
            if (exchange.verb == "merge_items") {
                const auto call = message::decode_call(request.body);
                sizes.push_back(message::decode_merge_items<ObjectRow>(call).rows.size());
                duo.nodes.clock().advance(Seconds(answer));
            }
        });
        const std::string id = duo.remote_id();
        duo.with_task([&](auto& task, const Device& device) {
            if (ours) {
                task.pass.memory.takers.heard(device, true, task.pass.clock.monotonic());
            }
            PeerSession peer(task.pass, task.heartbeat, device, task.place);
            std::int64_t point = -1;
            auto outcome = push_rows(task, peer, id, point);
            BOOST_TEST((*outcome ==
                        (rows > most * 10 ? decide::Outcome::progress : decide::Outcome::done)));
            return outcome;
        });
        return sizes;
    };
    using Sizes = std::vector<std::size_t>;
    const auto same = boost::test_tools::per_element();
    BOOST_TEST(batches(95, 100, true) == (Sizes{10, 20, 40, 25}), same);
    BOOST_TEST(batches(95, 5, true) == (Sizes{10, 20, 20}), same);
    BOOST_TEST(batches(70, 7, true) == (Sizes{10, 20, 40}), same);
    BOOST_TEST(batches(30, 100, false) == (Sizes{10, 10, 10}), same);
    BOOST_TEST(batches(60, 100, true, 0.2) == (Sizes{10, 10, 10, 10, 10, 10}), same);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(
    a_file_that_takes_the_place_of_the_one_that_answered_gets_no_rows_above_its_point, Kind,
    Kinds) {
    for (const std::string verb : {"merge_items", "merge_syncs"}) {
        Pair<Kind> duo(25);
        duo.memory.takers.heard(duo.nodes.ring().devices()[1], true, duo.clock.monotonic());
        std::int64_t point = verb == "merge_items" ? 7 : 25;
        bool before = true;
        duo.nodes.network().before([&](const SimExchange& exchange, const Request&) {
            if (exchange.verb == verb && std::exchange(before, false)) {
                duo.nodes.wipe(1);
                duo.nodes.create(1, duo.name);
            }
        });
        const auto outcome = duo.push(point);
        BOOST_REQUIRE(!outcome);
        BOOST_TEST((outcome.error().code == Error::peer_failed));
        BOOST_TEST(duo.said() == (Said{verb + " 503"}), boost::test_tools::per_element());
        BOOST_TEST(duo.rows_there() == 0U);
        BOOST_TEST(duo.noted_there() == -1);
        BOOST_TEST(duo.noted_here() == -1);
        point = -1;
        BOOST_TEST((*duo.push(point) == decide::Outcome::done));
        BOOST_TEST(duo.rows_there() == 25U);
    }
}

BOOST_AUTO_TEST_CASE(a_copy_that_leaves_finds_out_too_whether_a_file_was_replaced) {
    for (const bool leaves : {false, true}) {
        Containers duo(25);
        BOOST_TEST((*duo.replicate() == decide::Outcome::done));
        duo.memory.takers.heard(duo.nodes.ring().devices()[1], false, duo.clock.monotonic());
        duo.clock.advance(Takers::ask_again); // nobody knows, as after a restart
        duo.nodes.put_many(0, duo.name, "new", 20);
        bool before = true;
        duo.nodes.network().before([&](const SimExchange& exchange, const Request&) {
            if (exchange.verb == "merge_items" && std::exchange(before, false)) {
                duo.nodes.wipe(1);
                duo.nodes.create(1, duo.name);
            }
        });
        BOOST_TEST(!duo.replicate(leaves));
        BOOST_TEST(duo.rows_there() == 0U);
        BOOST_TEST(duo.noted_there() == -1);
        BOOST_TEST((*duo.replicate(leaves) == decide::Outcome::done));
        BOOST_TEST(duo.rows_there() == 45U);
    }
}

/// `count` rows with that text in each, and the numbers of rows of the requests that carry them.
std::vector<std::size_t> sizes_of_large(std::size_t count, const std::string& text, bool ours) {
    Containers duo(0);
    duo.settings.per_diff = 1000;
    duo.nodes.put_many(0, duo.name, "small", 3000);
    {
        auto database = duo.open(0);
        std::vector<ObjectRow> large(count);
        for (std::size_t i = 0; i < large.size(); ++i) {
            large[i].name = "large" + std::to_string(i);
            large[i].created_at = duo.clock.now().internal();
            large[i].content_type = text;
        }
        database.merge_items(large, {});
    }
    duo.memory.takers.heard(duo.nodes.ring().devices()[1], ours, duo.clock.monotonic());
    std::vector<std::size_t> sizes;
    duo.nodes.network().before([&](const SimExchange& exchange, const Request& request) {
        if (exchange.verb == "merge_items") {
            const auto call = message::decode_call(request.body);
            sizes.push_back(message::decode_merge_items<ObjectRow>(call).rows.size());
            BOOST_TEST((request.body.size() <= BatchSize::most_bytes || sizes.back() == 1));
        }
    });
    BOOST_TEST((*duo.push() == decide::Outcome::done));
    BOOST_TEST(duo.rows_there() == 3000 + count);
    BOOST_TEST(duo.stats().rows == static_cast<std::int64_t>(3000 + count));
    return sizes;
}

BOOST_AUTO_TEST_CASE(of_rows_that_become_large_so_many_go_as_a_request_holds) {
    BOOST_TEST(sizes_of_large(2500, std::string(8000, 'x'), true) ==
                   (std::vector<std::size_t>{1000, 2000, 1048, 1048, 404}),
               boost::test_tools::per_element());
}

// A server takes 64 MiB. Before, a request had per_diff rows whatever their size, and a database
// with larger ones never got on (defect 122).
BOOST_AUTO_TEST_CASE(rows_of_which_a_thousand_fill_no_request_go_in_smaller_ones) {
    for (const bool ours : {true, false}) {
        const auto sizes = sizes_of_large(40, std::string(std::size_t{3} << 20, 'x'), ours);
        BOOST_TEST(*std::max_element(sizes.end() - 10, sizes.end()) <= 4U);
    }
}

BOOST_AUTO_TEST_CASE(rows_that_json_makes_larger_are_halved) {
    const auto sizes = sizes_of_large(30, std::string(std::size_t{1} << 20, '\x01'), true);
    BOOST_TEST(sizes.back() <= 4U); // six bytes for each
}

BOOST_AUTO_TEST_CASE(a_stock_server_is_told_no_id_of_its_own) {
    Containers duo(5);
    duo.nodes.network().before([&](const SimExchange& exchange, const Request& request) {
        if (exchange.verb == "merge_items") {
            BOOST_TEST(message::decode_merge_items<ObjectRow>(message::decode_call(request.body))
                           .receiver == "");
        } else if (exchange.verb == "merge_syncs") {
            BOOST_TEST(message::decode_merge_syncs(message::decode_call(request.body)).receiver ==
                       "");
        }
    });
    BOOST_TEST((*duo.push() == decide::Outcome::done));
}

BOOST_AUTO_TEST_CASE(rows_go_in_rising_order_without_a_gap_one_batch_at_a_time) {
    Containers duo(35);
    std::vector<std::int64_t> rowids;
    duo.nodes.network().before([&](const SimExchange& exchange, const Request& request) {
        if (exchange.verb == "merge_items") {
            const auto call = message::decode_call(request.body);
            const auto items = message::decode_merge_items<ObjectRow>(call);
            BOOST_TEST(items.rows.size() <= 10U);
            BOOST_TEST(items.source == duo.local_id());
            for (const auto& row : items.rows) {
                rowids.push_back(row.rowid);
            }
        }
    });
    std::int64_t point = 7;
    BOOST_TEST((*duo.push(point) == decide::Outcome::done));
    BOOST_TEST(point == 35);
    BOOST_REQUIRE(rowids.size() == 28);
    for (std::size_t i = 0; i < rowids.size(); ++i) {
        BOOST_TEST(rowids[i] == static_cast<std::int64_t>(i) + 8);
    }
}

BOOST_AUTO_TEST_CASE(rows_that_nobody_can_store_or_send_are_set_aside_and_hold_up_none) {
    const auto insert = [](Containers& duo, const std::string& name, const std::string& time) {
        duo.here()
            .store.stock(duo.path())
            .execute("INSERT INTO object (name, created_at, size, content_type, etag, deleted,"
                     " storage_policy_index) VALUES (" +
                     name + ", '" + time + "', 0, '', '', 0, 0)");
    };
    Containers duo(3);
    insert(duo, "''", "1402488000.00000");
    insert(duo, "CAST(x'ff41' AS TEXT)", "1402488000.00000");
    duo.nodes.put_many(0, duo.name, "more", 9);
    insert(duo, "'timeless'", "no time");
    BOOST_TEST((*duo.push() == decide::Outcome::done));
    BOOST_TEST(duo.said() == (Said{"merge_items 202", "merge_items 202", "merge_syncs 202"}),
               boost::test_tools::per_element());
    BOOST_TEST(duo.rows_there() == 12U);
    BOOST_TEST(duo.noted_there() == 15);
    BOOST_TEST(duo.noted_here() == 15);
    BOOST_TEST(duo.stats().rows == 12);
}

BOOST_AUTO_TEST_CASE(a_capped_transfer_passes_rows_that_are_set_aside) {
    Containers duo(0, 1);
    for (int row = 0; row < 12; ++row) {
        duo.here()
            .store.stock(duo.path())
            .execute("INSERT INTO object (name, created_at, deleted) VALUES ('" +
                     std::to_string(row) + "', 'no time', 0)");
    }
    BOOST_TEST((*duo.push() == decide::Outcome::progress));
    BOOST_TEST(duo.said() == Said{"merge_syncs 202"}, boost::test_tools::per_element());
    BOOST_TEST(duo.noted_there() == 10);
    std::int64_t point = 10;
    BOOST_TEST((*duo.push(point) == decide::Outcome::done));
    BOOST_TEST(duo.noted_there() == 12);
    BOOST_TEST(duo.rows_there() == 0U);
}

BOOST_AUTO_TEST_CASE(a_number_of_rows_that_fills_its_batches_sends_no_empty_one) {
    Containers duo(20, 2);
    BOOST_TEST((*duo.push() == decide::Outcome::done)); // exactly max_diffs is not capped
    BOOST_TEST(duo.said().size() == 3U);
}

BOOST_AUTO_TEST_CASE(without_a_row_the_points_go_all_the_same) {
    Containers duo(0);
    BOOST_TEST((*duo.push() == decide::Outcome::done));
    BOOST_TEST(duo.said() == (Said{"merge_syncs 202"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_capped_transfer_is_progress_notes_nothing_and_goes_on_from_the_peers_word) {
    Containers duo(45, 2);
    std::int64_t point = -1;
    BOOST_TEST((*duo.push(point) == decide::Outcome::progress));
    BOOST_TEST(point == 20);
    BOOST_TEST(duo.said() == (Said{"merge_items 202", "merge_items 202"}),
               boost::test_tools::per_element());
    BOOST_TEST(duo.noted_here() == -1);
    BOOST_TEST(duo.noted_there() == 20);
    BOOST_TEST(duo.stats().diff_capped == 1);
    BOOST_TEST((*duo.push(point) == decide::Outcome::progress));
    BOOST_TEST((*duo.push(point) == decide::Outcome::done));
    BOOST_TEST(duo.rows_there() == 45U);
    BOOST_TEST(duo.noted_here() == 45);
}

BOOST_AUTO_TEST_CASE(whichever_request_fails_nothing_is_noted_that_the_peer_does_not_have) {
    for (const SimFault fault : {SimFault::refuse, SimFault::silent, SimFault::lose_reply,
                                 SimFault::late_reply, SimFault::duplicate}) {
        for (int n = 1; n <= 4; ++n) { // three batches and the points
            Containers duo(25);
            int requests = 0;
            duo.nodes.network().after([&](const SimExchange&, const Request&) {
                if (++requests == n - 1) {
                    duo.nodes.network().fail({}, fault);
                }
            });
            if (n == 1) {
                duo.nodes.network().fail({}, fault);
            }
            const auto outcome = duo.push();
            BOOST_TEST(outcome.has_value() == (fault == SimFault::duplicate));
            BOOST_TEST(duo.noted_there() <= static_cast<std::int64_t>(duo.rows_there()));
            BOOST_TEST(duo.noted_here() == (outcome ? 25 : -1));
            duo.nodes.network().heal();
            std::int64_t point = duo.noted_there();
            BOOST_TEST(duo.push(point).has_value()); // the next pass
            BOOST_TEST(duo.rows_there() == 25U);
            BOOST_TEST(duo.noted_here() == 25);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_refused_batch_ends_the_transfer) {
    Containers duo(25);
    duo.nodes.network().answer(Containers::verb("merge_items"), Reply{500, "", "", ""});
    const auto outcome = duo.push();
    BOOST_REQUIRE(!outcome);
    BOOST_TEST((outcome.error().code == Error::peer_failed));
    BOOST_TEST(duo.said() == (Said{"merge_items 500"}), boost::test_tools::per_element());
    BOOST_TEST(duo.stats().rows == 0);
}

BOOST_AUTO_TEST_CASE(refused_points_leave_our_own_note_as_it_was) {
    Containers duo(5);
    duo.nodes.network().answer(Containers::verb("merge_syncs"), Reply{503, "", "", ""});
    BOOST_TEST(!duo.push());
    BOOST_TEST(duo.noted_here() == -1);
    BOOST_TEST(duo.rows_there() == 5U);
}

BOOST_AUTO_TEST_CASE(points_that_were_noted_while_rows_went_over_are_not_passed_on) {
    // A third node pushes row 9 of its own while we are at it. It is not among those we send, so
    // the peer must not be told that it has it.
    Containers duo(25);
    duo.open(0).merge_sync_points(std::vector<SyncPoint>{{4, "third"}}, Direction::incoming);
    int batches = 0;
    duo.nodes.network().before([&](const SimExchange& exchange, const Request&) {
        if (exchange.verb == "merge_items" && ++batches == 3) {
            duo.open(0).merge_sync_points(std::vector<SyncPoint>{{9, "third"}},
                                          Direction::incoming);
        }
    });
    BOOST_TEST(duo.push().has_value());
    BOOST_TEST(duo.open(1).sync_point("third", Direction::incoming) == 4);
}

BOOST_AUTO_TEST_CASE(a_row_that_comes_during_the_transfer_goes_too_or_stays_above_the_point) {
    for (int n = 1; n <= 4; ++n) {
        Containers duo(25);
        int requests = 0;
        duo.nodes.network().before([&](const SimExchange&, const Request&) {
            if (++requests == n) {
                duo.nodes.put(0, duo.name, "late");
            }
        });
        BOOST_TEST(duo.push().has_value());
        BOOST_TEST(duo.nodes.names(1, duo.name).contains("late") == (n < 4));
        BOOST_TEST(duo.noted_there() == static_cast<std::int64_t>(duo.rows_there()));
        BOOST_TEST(duo.noted_here() == duo.noted_there());
    }
}

BOOST_AUTO_TEST_CASE(a_peers_file_that_is_swapped_between_two_batches_ends_it_without_a_note) {
    Containers duo(25);
    int requests = 0;
    duo.nodes.network().before([&](const SimExchange&, const Request&) {
        if (++requests == 2) { // lost and quarantined on the other side
            duo.there().disk.remove_tree(storage::parent(duo.path()));
        }
    });
    const std::string remote = duo.remote_id();
    BOOST_TEST(!duo.push());
    BOOST_TEST(duo.open(0).sync_point(remote, Direction::outgoing) == -1);
}
