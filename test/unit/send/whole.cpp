#include <replica/send/whole.hpp>

#define BOOST_TEST_MODULE whole
#include <boost/test/unit_test.hpp>

#include <support/duo.hpp>

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;
using decide::Outcome;

namespace {

using Said = std::vector<std::string>;
using Containers = Duo<ContainerKind>;

/// Both nodes have a database; this one has `ours` rows and the other `theirs`.
template <class D>
void fill(D& duo, int ours, int theirs) {
    duo.nodes.create(1, duo.name);
    if (ours > 0) {
        duo.nodes.put_many(0, duo.name, "ours", ours);
    }
    if (theirs > 0) {
        duo.nodes.put_many(1, duo.name, "theirs", theirs);
    }
}

void note(Containers& duo, std::size_t at, const std::string& id, std::int64_t point,
          Direction direction) {
    duo.open(at).merge_sync_points(std::vector<SyncPoint>{{point, id}}, direction);
}

/// The peer has all rows of ours, whatever else it has.
void require_all_there(Containers& duo) {
    const auto theirs = duo.nodes.names(1, duo.name);
    for (const std::string& name : duo.nodes.names(0, duo.name)) {
        BOOST_TEST(theirs.contains(name), name);
    }
}

/// The name that the request of a finish gives its upload.
std::string upload_of(const Request& request) {
    return std::string(message::decode_call(request.body).arguments.at(0).as_string());
}

/// From now on the other node merges like a stock one: the point of an upload's name becomes the
/// last ROWID of the new file, its own rows included. Then `action` is called.
void merges_as_stock(Containers& duo, const std::function<void()>& action) {
    duo.nodes.network().after([&duo, action](const SimExchange& exchange, const Request& request) {
        if (exchange.verb == "rsync_then_merge") {
            note(duo, 1, upload_of(request), duo.open(1).info().max_row, Direction::incoming);
            action();
        }
    });
}

} // namespace

// ---- To a peer that merges.

BOOST_AUTO_TEST_CASE(rows_that_come_while_a_stock_peer_merges_are_sent_and_no_others) {
    for (const bool leaves : {false, true}) {
        for (const int meanwhile : {0, 1, 3, 5}) { // fewer than, as many as, more than it had
            Containers duo;
            duo.settings.per_diff = 10;
            fill(duo, 50, 3);
            const std::string id = duo.open(0).info().id;
            merges_as_stock(duo, [&] {
                if (meanwhile > 0) {
                    duo.nodes.put_many(0, duo.name, "meanwhile", meanwhile);
                }
            });
            BOOST_TEST((*duo.replicate(leaves) == Outcome::done));
            duo.nodes.put(0, duo.name, "later");
            BOOST_TEST((*duo.replicate(leaves) == Outcome::done));
            BOOST_TEST(duo.stats().rows == meanwhile + 1);
            BOOST_TEST(duo.open(0).info().id == id);
            BOOST_TEST(duo.open(1).sync_point(id, Direction::incoming) ==
                       duo.open(0).info().max_row);
            require_all_there(duo);
        }
    }
}

BOOST_AUTO_TEST_CASE(what_is_merged_at_a_peer_has_a_name_of_its_own_in_each_process) {
    std::set<std::string> names;
    for (const std::uint64_t seed : {1U, 2U}) {
        Containers duo;
        duo.settings.per_diff = 10;
        duo.settings.seed = seed;
        fill(duo, 50, 3);
        const std::string id = duo.open(0).info().id;
        duo.nodes.network().answer(duo.verb("rsync_then_merge"), Reply{500, "", "", ""});
        duo.nodes.network().after([&](const SimExchange& exchange, const Request& request) {
            if (exchange.verb == "rsync_then_merge") {
                names.insert(upload_of(request));
                BOOST_TEST(upload_of(request).starts_with(id + '-'));
                BOOST_TEST(upload_of(request).ends_with("-50")); // up to where it has our rows
                BOOST_TEST(is_safe_name(upload_of(request)));
            }
        });
        BOOST_TEST(!duo.replicate());
        BOOST_TEST(duo.replicate().has_value()); // under the same: nothing piles up there
    }
    BOOST_TEST(names.size() == 2U);
}

// A refused upload lies in the peer's tmp, as large as the file, until the next takes its place.
BOOST_AUTO_TEST_CASE(an_upload_that_was_refused_gives_its_name_to_the_next_and_no_other_does) {
    for (const bool refused : {true, false}) {
        Containers duo;
        duo.settings.per_diff = 10;
        fill(duo, 50, 3);
        std::vector<std::string> names;
        duo.files.on_transfer(
            [&](const std::string&, const Upload& upload) { names.push_back(upload.name); });
        if (refused) {
            duo.nodes.network().answer(duo.verb("rsync_then_merge"), Reply{500, "", "", ""});
        } else {
            duo.nodes.network().fail(duo.verb("rsync_then_merge"), SimFault::silent);
        }
        BOOST_TEST(!duo.replicate());
        duo.clock.advance(Seconds(60));
        duo.nodes.put_many(0, duo.name, "more", 100);
        BOOST_TEST((*duo.replicate() == Outcome::done));
        require_all_there(duo);
        BOOST_REQUIRE(names.size() == 2U);
        BOOST_TEST((names[0] == names[1]) == refused);
    }
}

// Cut off after the finish, at any request, once or for good: by the network or by our end.
BOOST_AUTO_TEST_CASE(
    a_merge_whose_point_could_not_be_confirmed_costs_rows_sent_twice_and_none_lost) {
    for (const SimFault fault :
         {SimFault::refuse, SimFault::silent, SimFault::lose_reply, SimFault::late_reply}) {
        for (const std::string verb : {"merge_syncs", "sync"}) {
            for (const bool leaves : {false, true}) {
                Containers duo;
                duo.settings.per_diff = 10;
                fill(duo, 50, 3);
                const std::string id = duo.open(0).info().id;
                merges_as_stock(duo, [&] {
                    duo.nodes.network().fail(duo.verb(verb), fault);
                    duo.nodes.put_many(0, duo.name, "meanwhile", 5);
                });
                bool kept = false;
                duo.with_task(
                    [&](auto& task, const Device& to) {
                        BOOST_TEST((*replicate_to_peer(task, to) == Outcome::progress));
                        kept = task.renumbered;
                        return 0;
                    },
                    leaves);
                BOOST_TEST(kept);
                BOOST_TEST(duo.open(0).info().id != id);
                BOOST_TEST(duo.stats().reidentified == 1);
                BOOST_TEST((*duo.replicate(leaves) == Outcome::done));
                require_all_there(duo);
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(a_refused_point_or_an_answer_that_makes_no_sense_loses_nothing_either) {
    for (const std::string verb : {"merge_syncs", "sync"}) {
        for (const Reply& reply : {Reply{500, "", "", ""}, Reply{200, "", "[]", ""}}) {
            Containers duo;
            duo.settings.per_diff = 10;
            fill(duo, 50, 3);
            merges_as_stock(duo, [&] { duo.nodes.network().answer(duo.verb(verb), reply); });
            BOOST_TEST(duo.replicate().has_value());
            duo.nodes.put_many(0, duo.name, "later", 5);
            BOOST_TEST((*duo.replicate() == Outcome::done));
            require_all_there(duo);
        }
    }
}

// Stock receivers merge for several senders at a time; the last one's file replaces the others'.
BOOST_AUTO_TEST_CASE(a_merge_that_another_one_has_replaced_is_not_taken_for_done) {
    for (const std::string when : {"rsync_then_merge", "merge_syncs"}) {
        Containers duo;
        duo.settings.per_diff = 10;
        fill(duo, 50, 3);
        const auto before = *duo.there().disk.content(duo.path());
        bool replaced = false;
        duo.nodes.after(when, [&] {
            if (!std::exchange(replaced, true)) {
                duo.there().disk.write(duo.path(), before);
                duo.open(1).renew_id();
            }
        });
        BOOST_TEST((*duo.replicate() == Outcome::progress));
        BOOST_TEST(duo.stats().reidentified == 1);
        BOOST_TEST((*duo.replicate() == Outcome::done));
        require_all_there(duo);
    }
}

// The other one had begun from a file that an earlier upload of ours had been merged into.
BOOST_AUTO_TEST_CASE(the_point_of_an_earlier_upload_does_not_confirm_a_later_one) {
    Containers duo;
    duo.settings.per_diff = 10;
    fill(duo, 50, 3);
    BOOST_TEST((*duo.replicate() == Outcome::done));
    const auto before = *duo.there().disk.content(duo.path());
    duo.nodes.put_many(0, duo.name, "more", 100);
    bool replaced = false;
    duo.nodes.after("rsync_then_merge", [&] {
        if (!std::exchange(replaced, true)) {
            duo.there().disk.write(duo.path(), before);
            duo.open(1).renew_id();
        }
    });
    BOOST_TEST((*duo.replicate() == Outcome::progress));
    BOOST_TEST(replaced);
    BOOST_TEST(duo.stats().reidentified == 1);
    BOOST_TEST((*duo.replicate() == Outcome::done));
    require_all_there(duo);
}

// The file that answers may be about to be replaced by one that was merged from an older state; a
// new id may be one that the peer's own replicator gave it meanwhile.
BOOST_AUTO_TEST_CASE(while_a_peer_may_still_be_merging_it_gets_no_rows_whatever_file_it_has) {
    for (const bool merged : {false, true}) {
        Containers duo;
        duo.settings.per_diff = 10;
        fill(duo, 50, 3);
        duo.nodes.network().fail(duo.verb("rsync_then_merge"),
                                 merged ? SimFault::late_reply : SimFault::silent);
        BOOST_TEST((duo.replicate().error().code == Error::timed_out));
        duo.nodes.put_many(1, duo.name, "from a third", 30); // now it would be sent rows
        duo.nodes.network().clear_log();
        BOOST_TEST((duo.replicate().error().code == Error::held_back));
        BOOST_TEST(duo.said() == Said{"sync 200"}, boost::test_tools::per_element());
        duo.clock.advance(Seconds(21));
        BOOST_TEST((*duo.replicate() == Outcome::done));
        require_all_there(duo);
    }
}

// ---- To a peer that has none.

BOOST_AUTO_TEST_CASE(a_file_that_a_peer_without_one_got_counts_as_given) {
    for (const bool answered : {true, false}) {
        Containers duo;
        duo.nodes.put_many(0, duo.name, "ours", 6);
        if (!answered) {
            duo.nodes.after("complete_rsync", [&] {
                duo.nodes.network().answer(duo.verb("sync"), Reply{500, "", "", ""});
            });
        }
        BOOST_TEST((*duo.replicate(true) == Outcome::done));
        BOOST_TEST(duo.said() ==
                       (Said{"sync 404", "complete_rsync 204", answered ? "sync 200" : "sync 500"}),
                   boost::test_tools::per_element());
        duo.nodes.put(1, duo.name, "client");
        duo.nodes.put(0, duo.name, "late");
        BOOST_TEST((*duo.replicate(true) == Outcome::done));
        BOOST_TEST(duo.stats().rows == (answered ? 1 : 7)); // not known: all go once more
        require_all_there(duo);
    }
}

// What the question is answered for is the file that was sent: a peer that has another one by then
// has nothing from us.
BOOST_AUTO_TEST_CASE(a_file_that_another_has_replaced_since_does_not_count_as_given) {
    Containers duo;
    duo.nodes.put_many(0, duo.name, "ours", 6);
    duo.nodes.after("complete_rsync", [&] {
        duo.there().disk.remove(duo.path());
        duo.nodes.create(1, duo.name);
    });
    BOOST_TEST((*duo.replicate(true) == Outcome::done));
    BOOST_TEST((*duo.replicate(true) == Outcome::done));
    require_all_there(duo);
}
