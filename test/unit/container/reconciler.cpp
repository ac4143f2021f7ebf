#include <replica/container/reconciler.hpp>

#define BOOST_TEST_MODULE container_reconciler
#include <boost/test/unit_test.hpp>

#include <support/duo.hpp>
#include <support/old_journal.hpp>

#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;
using namespace std::chrono_literals;

namespace {

using Nodes = Duo<ContainerKind>;
using Outcomes = std::vector<decide::Outcome>;

const Outcomes all_done{decide::Outcome::done};
const std::string noon = "1402488000"; // an hour
const std::string one_o_clock = "1402491600";

/// A container of policy 0 on the first node, which may have rows of another.
struct Fixture : Nodes {
    Fixture() { pass.state.use(nodes.ring().devices()[0]); }

    [[nodiscard]] auto queue_of(const std::string& hour) {
        return nodes.name(".misplaced_objects", hour);
    }

    static ObjectRow row(const std::string& row_name, std::int64_t policy = 1,
                         const std::string& created_at = noon + ".00001", bool deleted = false) {
        return {-1, row_name, created_at, 5, "text/plain", "etag", deleted ? 1 : 0, policy};
    }

    void queue(const Outcomes& outcomes = all_done) {
        with_task([&](auto& task, const Device&) {
            reconciler::queue_misplaced(task, outcomes);
            return 0;
        });
    }

    [[nodiscard]] std::int64_t point() { return open().info().reconciler_sync_point; }

    [[nodiscard]] std::set<std::string> queued(const std::string& hour) {
        const auto at = queue_of(hour);
        return nodes.has(0, at) ? nodes.names(0, at) : std::set<std::string>{};
    }

    /// How often `action` reads from a database: a look at what was read before is one, at the
    /// header, and any other more.
    [[nodiscard]] int reads_of(const std::function<void()>& action) {
        int reads = 0;
        here().disk.on_call(
            [&](SimCall call, const std::string&) { reads += call == SimCall::vfs_read ? 1 : 0; });
        action();
        here().disk.on_call(nullptr);
        return reads;
    }
};

} // namespace

static_assert(std::is_empty_v<AccountKind::pass_state>);

// ---- The point.

BOOST_FIXTURE_TEST_CASE(a_container_of_one_policy_is_neither_read_nor_written, Fixture) {
    open().put(row("a", 0));
    open().put(row("b", 0));
    for (const Outcomes& outcomes : {Outcomes{}, all_done, Outcomes{decide::Outcome::failed}}) {
        with_task([&](auto& task, const Device&) {
            BOOST_TEST(reads_of([&] { reconciler::queue_misplaced(task, outcomes); }) == 0);
            return 0;
        });
        BOOST_TEST(point() == -1);
    }
    auto database = open();
    BOOST_TEST(reconciler::is_all_queued(database, database.info()));
    database.put(row("c", 1));
    BOOST_TEST(!reconciler::is_all_queued(database, database.info()));
}

BOOST_FIXTURE_TEST_CASE(a_second_policy_makes_rows_below_any_point_be_looked_at, Fixture) {
    open().put(row("a", 1));
    open().put(row("b", 0));
    BOOST_REQUIRE(open().set_reconciler_sync_point(2, 0)); // as Swift's replicator does
    queue();
    BOOST_TEST(queued(noon) == std::set<std::string>{"1:/a/c/a"});
    BOOST_TEST(point() == 2);
}

BOOST_FIXTURE_TEST_CASE(a_database_at_rest_costs_at_most_a_lookup, Fixture) {
    for (const std::int64_t policy : {0, 1}) {
        open().put(row("a" + std::to_string(policy), policy));
        queue();
        with_task([&](auto& task, const Device&) {
            const auto reads = reads_of([&] { reconciler::queue_misplaced(task, all_done); });
            BOOST_TEST(reads == (policy == 0 ? 0 : 1));
            return 0;
        });
    }
}

BOOST_FIXTURE_TEST_CASE(the_snapshot_goes_along_so_that_a_handoff_still_equals_it, Fixture) {
    open().put(row("a"));
    with_task([&](auto& task, const Device&) {
        reconciler::queue_misplaced(task, all_done);
        BOOST_TEST((task.info == open().info()));
        BOOST_TEST(task.info.reconciler_sync_point == 1);
        return 0;
    });
}

BOOST_FIXTURE_TEST_CASE(the_point_waits_for_a_majority_of_peers, Fixture) {
    using enum decide::Outcome;
    open().put(row("a"));
    for (const Outcomes& few :
         {Outcomes{failed}, Outcomes{progress}, Outcomes{deferred}, Outcomes{done, failed},
          Outcomes{done, failed, failed}, Outcomes{done, done, failed, failed}}) {
        queue(few);
        BOOST_TEST(point() == -1);
        BOOST_TEST(queued(noon).size() == 1U); // it is queued all the same
    }
    queue({done, done, failed});
    BOOST_TEST(point() == 1);
    open().put(row("b"));
    queue({}); // there is no peer to wait for
    BOOST_TEST(point() == 2);
}

BOOST_FIXTURE_TEST_CASE(rows_that_came_after_the_peers_were_asked_wait_for_the_next_pass, Fixture) {
    open().put(row("a"));
    with_task([&](auto& task, const Device&) {
        open().put(row("b"));
        reconciler::queue_misplaced(task, all_done);
        return 0;
    });
    BOOST_TEST(point() == 1);
    BOOST_TEST(queued(noon) == std::set<std::string>{"1:/a/c/a"});
    queue();
    BOOST_TEST(point() == 2);
    BOOST_TEST(queued(noon).size() == 2U);
}

BOOST_FIXTURE_TEST_CASE(another_policy_makes_all_rows_be_looked_at_again, Fixture) {
    open().put(row("old", 0));
    open().put(row("other", 1));
    queue();
    BOOST_TEST(point() == 2);
    open().set_storage_policy_index(0, clock.now()); // no news
    BOOST_TEST(point() == 2);
    open().set_storage_policy_index(1, clock.now());
    BOOST_TEST(point() == -1);
    queue();
    BOOST_TEST(queued(noon) == (std::set<std::string>{"0:/a/c/old", "1:/a/c/other"}));
    BOOST_TEST(point() == 2);
}

BOOST_FIXTURE_TEST_CASE(a_policy_that_a_stock_server_changed_is_noticed_by_itself, Fixture) {
    const auto change = [&](std::int64_t policy) { // which leaves the point
        const std::int64_t at = point();
        open().set_storage_policy_index(policy, clock.now());
        BOOST_REQUIRE(open().set_reconciler_sync_point(at, policy));
    };
    open().put(row("old", 0));
    BOOST_REQUIRE(open().set_reconciler_sync_point(1, 0)); // by Swift's replicator
    change(1);
    queue({decide::Outcome::failed});
    BOOST_TEST(queued(noon) == std::set<std::string>{"0:/a/c/old"});
    queue();
    BOOST_TEST(point() == 1);
    open().put(row("new", 1));
    queue();
    BOOST_TEST(queued(noon) == std::set<std::string>{"0:/a/c/old"});
    change(0);
    queue();
    BOOST_TEST(queued(noon) == (std::set<std::string>{"0:/a/c/old", "1:/a/c/new"}));
    BOOST_TEST(point() == 2);
}

BOOST_FIXTURE_TEST_CASE(rows_are_compared_once_with_each_policy, Fixture) {
    open().put(row("a"));
    BOOST_TEST(open().set_reconciler_sync_point(1, 0)); // a stock server may have been here since
    queue();
    BOOST_TEST(queued(noon) == std::set<std::string>{"1:/a/c/a"});
}

BOOST_FIXTURE_TEST_CASE(a_file_that_came_from_elsewhere_is_looked_at_again, Fixture) {
    open().put(row("a"));
    queue({decide::Outcome::failed});
    auto database = open();
    BOOST_TEST(reconciler::is_compared(database, database.info()));
    database.adopt("its sender, whose queue nobody else has");
    BOOST_TEST(!reconciler::is_compared(database, database.info()));
}

BOOST_FIXTURE_TEST_CASE(a_peer_that_is_away_makes_nothing_be_looked_at_in_each_pass, Fixture) {
    open().put(row("a"));
    BOOST_REQUIRE(open().set_reconciler_sync_point(1, 0));
    queue({decide::Outcome::failed});
    BOOST_TEST(queued(noon) == std::set<std::string>{"1:/a/c/a"});
    with_task([&](auto& task, const Device&) {
        const auto failed = [&] {
            reconciler::queue_misplaced(task, Outcomes{decide::Outcome::failed});
        };
        BOOST_TEST(reads_of(failed) == 1); // one lookup
        return 0;
    });
    BOOST_TEST(point() == 1);
}

BOOST_FIXTURE_TEST_CASE(a_look_that_a_stop_ends_does_not_move_the_point_back, Fixture) {
    settings.per_diff = 1;
    for (const std::string a_row : {"a", "b", "c"}) {
        open().put(row(a_row));
    }
    BOOST_REQUIRE(open().set_reconciler_sync_point(3, 0));
    here().disk.on_call([&](SimCall, const std::string& at) {
        if (at.find(queue_of(noon).hash) != std::string::npos) {
            stop.request_stop();
        }
    });
    queue();
    here().disk.on_call(nullptr);
    BOOST_TEST(queued(noon) == std::set<std::string>{"1:/a/c/a"});
    BOOST_TEST(point() == 3);
    auto database = open(); // is looked at again:
    BOOST_TEST(!reconciler::is_compared(database, database.info()));
}

BOOST_FIXTURE_TEST_CASE(a_row_that_cannot_be_queued_moves_the_point_back_before_it, Fixture) {
    settings.per_diff = 1;
    open().put(row("a"));
    open().put(row("b", 1, one_o_clock + ".00000"));
    open().put(row("c"));
    BOOST_REQUIRE(open().set_reconciler_sync_point(3, 0));
    here().disk.fail_next(SimCall::any, queue_of(one_o_clock).hash, Error::io, 0);
    queue();
    BOOST_TEST(point() == 1);
    here().disk.clear_faults();
    queue();
    BOOST_TEST(queued(one_o_clock) == std::set<std::string>{"1:/a/c/b"});
    BOOST_TEST(point() == 3);
}

BOOST_FIXTURE_TEST_CASE(a_policy_that_changes_meanwhile_keeps_the_point, Fixture) {
    open().put(row("a", 0));
    const auto policy = open().info().storage_policy_index;
    open().set_storage_policy_index(1, clock.now());
    BOOST_TEST(!open().set_reconciler_sync_point(1, policy));
    BOOST_TEST(point() == -1);
}

// ---- Queues.

BOOST_FIXTURE_TEST_CASE(rows_go_to_the_queue_of_their_hour, Fixture) {
    open().put(row("right", 0));
    open().put(row("put"));
    open().put(row("other policy", 2));
    open().put(row("gone", 1, one_o_clock + ".00000", true));
    open().put(row("posted", 1, noon + ".00000+0+d693a400")); // ten hours later
    queue();
    BOOST_TEST(queued(noon) == (std::set<std::string>{"1:/a/c/put", "2:/a/c/other policy"}));
    BOOST_TEST(queued(one_o_clock) == std::set<std::string>{"1:/a/c/gone"});
    BOOST_TEST(queued("1402524000") == std::set<std::string>{"1:/a/c/posted"});
    BOOST_TEST(point() == 5);

    const auto made = nodes.info(0, queue_of(noon));
    BOOST_TEST(made.put_timestamp == noon);
    BOOST_TEST(made.storage_policy_index == 0);
    BOOST_TEST(made.account == ".misplaced_objects");
    const auto rows = nodes.rows(0, queue_of(one_o_clock));
    BOOST_TEST((rows[0] == ObjectRow{-1, "1:/a/c/gone", one_o_clock + ".00000", 0,
                                     "application/x-delete", one_o_clock + ".00000", 0, 0}));
    BOOST_TEST(pass.state.end().first.size() == 3U);
}

BOOST_FIXTURE_TEST_CASE(no_journal_of_an_earlier_file_spoils_a_new_queue, Fixture) {
    open().put(row("a"));
    const std::string path = nodes.path(queue_of(noon));
    here().disk.make_directories(path.substr(0, path.rfind('/')));
    here().disk.write(path + "-journal", cutting_journal());
    const Instant began = nodes.clock().monotonic();
    queue();
    BOOST_TEST(queued(noon) == std::set<std::string>{"1:/a/c/a"});
    BOOST_TEST(point() == 1);
    BOOST_TEST(!here().disk.stat(path + "-journal"));
    BOOST_TEST((nodes.clock().monotonic() - began < 1s)); // waits for no lock
}

BOOST_FIXTURE_TEST_CASE(a_row_queued_twice_is_there_once, Fixture) {
    open().put(row("a"));
    queue({decide::Outcome::failed});
    const auto before = nodes.info(0, queue_of(noon)).max_row;
    queue();
    BOOST_TEST(nodes.info(0, queue_of(noon)).max_row == before);
    BOOST_TEST(pass.state.end().first.size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(many_rows_go_in_batches, Fixture) {
    settings.per_diff = 3;
    std::set<std::string> expected;
    for (int i = 0; i < 10; ++i) {
        open().put(row("o" + std::to_string(i), i % 4 == 0 ? 0 : 1));
        if (i % 4 != 0) {
            expected.insert("1:/a/c/o" + std::to_string(i));
        }
    }
    queue();
    BOOST_TEST(queued(noon) == expected);
    BOOST_TEST(point() == 10);
}

BOOST_FIXTURE_TEST_CASE(a_batch_that_fails_stops_the_point_and_not_the_others, Fixture) {
    settings.per_diff = 1;
    open().put(row("a"));
    open().put(row("b", 1, one_o_clock + ".00000"));
    open().put(row("c"));
    const std::string bad = queue_of(one_o_clock).hash;
    here().disk.fail_next(SimCall::any, bad, Error::io, 0);
    queue();
    BOOST_TEST(queued(noon) == (std::set<std::string>{"1:/a/c/a", "1:/a/c/c"}));
    BOOST_TEST(point() == 1);
    BOOST_TEST(stats().errors == 1);
    BOOST_TEST(journal.mentions(bad));
    here().disk.clear_faults();
    queue();
    BOOST_TEST(queued(one_o_clock) == std::set<std::string>{"1:/a/c/b"});
    BOOST_TEST(point() == 3);
}

BOOST_FIXTURE_TEST_CASE(a_row_without_a_usable_time_is_told_and_stops_the_point, Fixture) {
    // A stock server stores whatever it is sent; a merge of ours would refuse it.
    here().store.execute(path(), "INSERT INTO object (name, created_at, size, content_type, etag,"
                                 " deleted, storage_policy_index)"
                                 " VALUES ('a', 'soon', 5, 'text/plain', 'etag', 0, 1)");
    open().put(row("b"));
    queue();
    BOOST_TEST(point() == -1);
    BOOST_TEST(queued(noon) == std::set<std::string>{"1:/a/c/b"});
    BOOST_TEST(journal.mentions("'soon' is no time"));
    BOOST_TEST(stats().errors == 1);
}

BOOST_FIXTURE_TEST_CASE(a_shard_without_a_usable_root_queues_nothing, Fixture) {
    open().put(row("a"));
    open().merge_metadata(
        R"({"X-Container-Sysmeta-Shard-Quoted-Root": ["none", "1402488000.00000"]})");
    queue();
    BOOST_TEST(point() == -1);
    BOOST_TEST(queued(noon).empty());
    BOOST_TEST(journal.mentions("no root"));
}

// ---- The device.

BOOST_FIXTURE_TEST_CASE(a_queue_lies_on_a_local_primary_or_beside_its_rows, Fixture) {
    const auto devices = nodes.ring().devices();
    const auto chosen = [&](Device local, std::uint32_t partition) {
        return with_task([&](auto& task, const Device&) {
            DatabaseTurn<PassType> other{task.pass,   task.place, local, task.heartbeat,
                                         task.opened, task.info,  true,  false};
            return reconciler::queue_device(other, partition).id;
        });
    };
    const auto primary = [&](std::uint32_t partition) {
        return nodes.ring().primaries(partition)[0].id;
    };
    Device guest = devices[0];
    guest.id = 17;
    guest.device = "sdq";
    // Both nodes' devices are primaries of all here; those not in use do not count.
    BOOST_TEST(chosen(guest, 0) == 0);
    BOOST_TEST(chosen(guest, 1) == 0);
    pass.state.use(devices[1]);
    BOOST_TEST(chosen(guest, 0) == primary(0));
    BOOST_TEST(chosen(guest, 1) == primary(1));
    memory.stalled.add(devices[0].device); // both are called sda
    BOOST_TEST(chosen(guest, 0) == 17);
    guest.weight = 0;
    BOOST_TEST(chosen(guest, 0) == 17);
    Device spare = guest;
    spare.id = 18;
    spare.device = "sds";
    spare.weight = 1;
    pass.state.use(spare);
    BOOST_TEST(chosen(guest, 0) == 18);
}

BOOST_FIXTURE_TEST_CASE(a_queue_is_not_made_below_an_empty_mount_point, Fixture) {
    open().put(row("a"));
    here().disk.on_call([this](SimCall call, const std::string& at) {
        if (call == SimCall::is_mount && at == device()) {
            here().disk.on_call(nullptr);
            here().disk.unmount(device());
        }
    });
    settings.mount_check = true;
    queue();
    BOOST_TEST(!here().disk.stat(device() + "/containers"));
    BOOST_TEST(journal.mentions("is not mounted"));
}

// ---- Others at the same time.

BOOST_FIXTURE_TEST_CASE(whatever_others_do_to_a_queue_meanwhile_the_row_gets_there, Fixture) {
    const auto at = queue_of(noon);
    const std::string place = nodes.path(at);
    const auto remove = [&] { // which waits for nobody
        try {
            static_cast<void>(storage::remove(
                here().broker, place, device(), random, clock.monotonic(),
                [](const auto& info) { return std::string(info.count == 0 ? "" : "is fed"); }));
        } catch (const Failure& failure) {
            const bool busy = failure.error() == Error::locked || failure.error() == Error::missing;
            BOOST_TEST(busy, failure.what());
        }
    };
    const auto make = [&] {
        if (!nodes.has(0, at)) {
            nodes.create(0, at);
        }
    };
    const auto replace = [&] {
        remove();
        make();
    };
    const std::vector<ObjectRow> rows{reconciler::queue_row(row("a"), "a/c")};
    for (const std::function<void()>& deed :
         std::vector<std::function<void()>>{remove, make, replace}) {
        for (const bool there : {false, true}) {
            int calls = 1;
            for (int n = 1; n <= calls; ++n) {
                here().disk.remove_tree(storage::parent(place));
                if (there) {
                    make();
                }
                calls = 0;
                bool busy = false;
                here().disk.on_call([&](SimCall, const std::string& touched) {
                    if (busy || touched.find(at.hash) == std::string::npos || ++calls != n) {
                        return;
                    }
                    busy = true;
                    deed();
                    busy = false;
                });
                const bool fed = with_task([&](auto& task, const Device&) {
                    return reconciler::feed_queue(task, noon, rows);
                });
                here().disk.on_call(nullptr);
                BOOST_TEST(fed, "call " << n);
                BOOST_TEST(queued(noon) == std::set<std::string>{"1:/a/c/a"}, "call " << n);
            }
            BOOST_TEST(calls > 2);
        }
    }
}

BOOST_FIXTURE_TEST_CASE(a_crash_at_any_point_loses_no_row, Fixture) {
    open().put(row("a"));
    here().disk.settle();
    int n = 1;
    for (bool through = false; !through; ++n) {
        BOOST_TEST_REQUIRE(n < 500);
        here().disk.halt_at(static_cast<std::uint64_t>(n));
        try {
            queue();
        } catch (const Failure&) {
            BOOST_TEST_MESSAGE("  power goes at call " << n);
        }
        through = here().disk.fault_pending();
        here().disk.crash();
        // The point has not moved past what a crash could take.
        if (point() == 1) {
            BOOST_TEST(queued(noon) == std::set<std::string>{"1:/a/c/a"}, "call " << n);
        }
        open().set_storage_policy_index(1, clock.now());
        open().set_storage_policy_index(0, clock.now());
        here().disk.remove_tree(storage::parent(nodes.path(queue_of(noon))));
        here().disk.settle();
    }
    BOOST_TEST(n > 10);
}

// ---- The pass's memory.

BOOST_AUTO_TEST_CASE(a_removal_is_put_off_until_the_pass_ends) {
    reconciler::PassState state;
    const LocalDatabase fed{{"/d", "/d/1", "fed", "h", 1}, {}};
    const LocalDatabase idle{{"/d", "/d/2", "idle", "h", 2}, {}};
    BOOST_TEST(state.defer_removal(fed));
    BOOST_TEST(state.defer_removal(idle));
    BOOST_TEST(state.defer_removal(idle));
    BOOST_TEST(state.fed(fed));
    BOOST_TEST(!state.fed(fed));
    const auto [replicate, clean] = state.end();
    BOOST_REQUIRE(replicate.size() == 1U);
    BOOST_TEST(replicate[0].place.path() == "/d/1/fed");
    BOOST_REQUIRE(clean.size() == 1U);
    BOOST_TEST(clean[0].place.path() == "/d/2/idle");
    BOOST_TEST(!state.defer_removal(fed));
}
