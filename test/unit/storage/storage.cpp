#include <replica/storage/storage.hpp>

#define BOOST_TEST_MODULE storage
#include <replica/storage/sweep.hpp>

#include <boost/test/unit_test.hpp>

#include <support/each_call.hpp>
#include <support/one_node.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

using namespace replica;
using namespace replica::test;
using namespace std::chrono_literals;

namespace {

using Node = OneNode<ContainerKind>;
using Names = std::set<std::string>;

std::unique_ptr<Node> empty_node() {
    return std::make_unique<Node>();
}

/// With a database that has the rows "one" and "two".
std::unique_ptr<Node> node_with_database() {
    auto node = empty_node();
    node->create();
    node->put("one");
    node->put("two");
    node->disk.settle();
    return node;
}

std::string remove(Node& node, const auto& keep) {
    return storage::remove(node.broker, node.path, node.device, node.random, node.soon(), keep);
}
std::string remove(Node& node) {
    return remove(node, [](const ContainerInfo&) { return std::string(); });
}

/// The database that was removed, wherever it is now, or nothing.
bool complete(const Node& node) {
    return node.names() == Names{"one", "two"};
}

Error error_of(const auto& action) {
    try {
        action();
    } catch (const Failure& failure) {
        return failure.error();
    }
    return Error{};
}

/// Puts a database with the row "new" into tmp and returns its path.
std::string upload(Node& node) {
    const std::string file = node.device + "/tmp/upload";
    node.create(file);
    node.put("new", file);
    return file;
}

/// A client's PUT of the container, as a stock server does it: under the directory lock, if there
/// is none yet. Whether it was made.
bool client_creates(Node& node) {
    const auto lock = node.disk.try_lock(node.directory);
    if (!lock || node.disk.stat(node.path)) {
        return false;
    }
    node.create();
    node.put("theirs");
    return true;
}

} // namespace

// ---- Names and locks.

BOOST_AUTO_TEST_CASE(paths_are_taken_apart) {
    BOOST_TEST(storage::parent("/a/b/c") == "/a/b");
    BOOST_TEST(storage::base("/a/b/c") == "c");
    BOOST_TEST(storage::device_path("/srv/node", "sda") == "/srv/node/sda");
}

BOOST_AUTO_TEST_CASE(a_directory_is_locked_by_one_at_a_time_and_waited_for) {
    Node node;
    auto first = std::make_unique<SimLock>(
        storage::lock_directory(node.disk, node.clock, node.directory, node.soon()));
    const Instant began = node.clock.monotonic();
    BOOST_TEST((error_of([&] {
                    (void)storage::lock_directory(node.disk, node.clock, node.directory,
                                                  node.soon());
                }) == Error::locked));
    BOOST_TEST((node.clock.monotonic() >= began + 1s));
    node.clock.at(node.clock.monotonic() + 200ms, [&] { first.reset(); });
    const Instant again = node.clock.monotonic();
    const auto second = storage::lock_directory(node.disk, node.clock, node.directory, node.soon());
    BOOST_TEST((node.clock.monotonic() >= again + 200ms));
    BOOST_TEST((node.clock.monotonic() < again + 300ms));
}

BOOST_AUTO_TEST_CASE(the_newest_epoch_is_the_database) {
    Node node;
    node.disk.make_directories(node.directory);
    BOOST_TEST(!storage::find_database(node.disk, node.directory));
    for (const std::string name :
         {".lock", ".db", ".db.pending", ".db-journal", "_.db", "_x.db", "_1402464677.04188.dbx"}) {
        node.disk.write(node.directory + '/' + (name == ".lock" ? "" : node.hash) + name, "x");
    }
    node.disk.remove(node.path);
    node.disk.write(node.directory + "/00000000000000000000000000000000.db", "x");
    node.disk.make_directories(node.directory + '/' + node.hash + "_2402464677.04188.db");
    BOOST_TEST(!storage::find_database(node.disk, node.directory));
    node.disk.write(node.path, "x");
    BOOST_TEST(storage::find_database(node.disk, node.directory).value() == node.path);
    const std::string newer = node.directory + '/' + node.hash + "_1402464677.04189.db";
    node.disk.write(newer, "x");
    node.disk.write(node.directory + '/' + node.hash + "_1402464677.04188.db", "x");
    BOOST_TEST(storage::find_database(node.disk, node.directory).value() == newer);
    BOOST_TEST((error_of([&] {
                    (void)storage::find_database(node.disk, node.device + "/nowhere/x");
                }) == Error::missing));
}

BOOST_AUTO_TEST_CASE(waiting_rows_are_committed_under_the_directory_lock) {
    auto node = node_with_database();
    auto database = node->open();
    const auto held = node->disk.try_lock(node->directory);
    storage::flush_pending(node->broker, database, node->path, node->soon()); // nothing waits
    node->store.put_pending(node->path, {node->row("three")});
    BOOST_TEST((error_of([&] {
                    storage::flush_pending(node->broker, database, node->path, node->soon());
                }) == Error::locked));
    BOOST_TEST(node->pending(node->path).contains("three"));
}

BOOST_AUTO_TEST_CASE(a_waiting_row_is_there_once_after_any_failure_or_crash) {
    const auto make = [] {
        auto node = node_with_database();
        node->store.put_pending(node->path, {node->row("three")});
        return node;
    };
    const auto act = [](Node& node) {
        auto database = node.open();
        storage::flush_pending(node.broker, database, node.path, node.soon());
    };
    const auto check = [](Node& node, bool /*done*/) {
        BOOST_TEST((node.names() == Names{"one", "two", "three"}));
        // The next pass commits what is left, or was left again by the crash.
        auto database = node.open();
        storage::flush_pending(node.broker, database, node.path, node.soon());
        BOOST_TEST(database.info().count == 3);
        BOOST_TEST(node.pending(node.path).empty());
    };
    BOOST_TEST(with_each_call_failing(make, act, check) >= 5);
    BOOST_TEST(with_a_crash_before_each_call(make, act, check) >= 5);
}

// ---- Removal.

BOOST_AUTO_TEST_CASE(a_database_goes_with_its_directory_and_empty_parents) {
    auto node = node_with_database();
    BOOST_TEST(remove(*node).empty());
    BOOST_TEST((node->entries(node->device + "/containers").empty()));
    BOOST_TEST((node->entries(node->device + "/tmp").empty()));
}

BOOST_AUTO_TEST_CASE(a_partition_with_another_database_stays) {
    auto node = node_with_database();
    const std::string other = storage::parent(storage::parent(node->directory)) + "/abc/other";
    node->disk.make_directories(other);
    BOOST_TEST(remove(*node).empty());
    BOOST_TEST(node->disk.stat(other).has_value());
}

BOOST_AUTO_TEST_CASE(a_reason_against_it_keeps_the_database) {
    auto node = node_with_database();
    BOOST_TEST(remove(*node, [](const ContainerInfo& info) {
                   return "has " + std::to_string(info.count) + " rows";
               }) == "has 2 rows");
    BOOST_TEST(complete(*node));
}

BOOST_AUTO_TEST_CASE(the_reason_is_asked_for_with_the_waiting_rows_counted) {
    auto node = node_with_database();
    const auto before = node->open().info();
    node->store.put_pending(node->path, {node->row("three")});
    BOOST_TEST(remove(*node, [&](const ContainerInfo& info) {
                   return info == before ? std::string() : std::string("changed");
               }) == "changed");
    BOOST_TEST((node->names() == Names{"one", "two", "three"}));
}

BOOST_AUTO_TEST_CASE(rows_that_wait_beside_the_plain_name_are_counted_in_a_database_with_an_epoch) {
    Node node;
    const std::string plain = node.path;
    node.path = node.directory + '/' + node.hash + "_1402464677.04188.db";
    node.create();
    node.store.put_pending(plain, {node.row("waiting")});
    BOOST_TEST(remove(node, [](const ContainerInfo& info) {
                   return "has " + std::to_string(info.count) + " rows";
               }) == "has 1 rows");
    BOOST_TEST((node.names() == Names{"waiting"}));
}

BOOST_AUTO_TEST_CASE(rows_that_somebody_appends_without_the_lock_keep_the_database) {
    auto node = node_with_database();
    BOOST_TEST(remove(*node, [&](const ContainerInfo&) {
                   node->store.put_pending(node->path, {node->row("three")});
                   return std::string();
               }) == "rows wait in its .pending file");
    BOOST_TEST((node->names() == Names{"one", "two", "three"}));
}

BOOST_AUTO_TEST_CASE(entries_that_nobody_could_read_keep_the_database_they_came_with) {
    auto node = node_with_database();
    node->disk.write(node->path + ".pending.unreadable.1", "who knows");
    BOOST_TEST(remove(*node) == "rows that could not be read lie beside it");
    BOOST_TEST(complete(*node));
    node->disk.remove(node->path + ".pending.unreadable.1");
    BOOST_TEST(remove(*node).empty());
}

BOOST_AUTO_TEST_CASE(a_newer_database_beside_it_keeps_both) {
    auto node = node_with_database();
    node->create(node->directory + '/' + node->hash + "_1402464677.04188.db");
    BOOST_TEST(remove(*node) == "another database has appeared beside it");
    BOOST_TEST(complete(*node));
}

BOOST_AUTO_TEST_CASE(a_locked_directory_or_database_keeps_it) {
    auto node = node_with_database();
    {
        const auto lock = node->disk.try_lock(node->directory);
        BOOST_TEST((error_of([&] { (void)remove(*node); }) == Error::locked));
    }
    {
        auto other = node->open();
        const auto lock = other.exclusive(node->soon());
        BOOST_TEST((error_of([&] { (void)remove(*node); }) == Error::locked));
    }
    BOOST_TEST(complete(*node));
    BOOST_TEST(remove(*node).empty());
}

BOOST_AUTO_TEST_CASE(a_removal_that_fails_leaves_all_or_nothing_in_the_tree) {
    const auto act = [](Node& node) { (void)remove(node); };
    const auto check = [](Node& node, bool done) {
        BOOST_TEST((complete(node) || !node.disk.stat(node.directory)));
        BOOST_TEST((!done || !node.disk.stat(node.directory)));
        storage::sweep(node.disk, node.device + "/tmp", node.clock.now(), Seconds(-60), [] {});
        BOOST_TEST((node.entries(node.device + "/tmp").empty()));
    };
    BOOST_TEST(with_each_call_failing(node_with_database, act, check) >= 10);
    BOOST_TEST(with_a_crash_before_each_call(node_with_database, act, check) >= 10);
}

BOOST_AUTO_TEST_CASE(no_row_that_a_client_was_told_is_stored_goes_with_the_database) {
    const auto act = [](Node& node) {
        (void)remove(node, [](const ContainerInfo& now) { // the peers have two rows
            return now.max_row == 2 ? std::string() : std::string("changed");
        });
    };
    const auto check = [](Node& node, bool acknowledged) {
        if (acknowledged) {
            // In the database, in its pending file, or in the pending file of a database that is
            // gone, which the walk reports.
            const auto names = node.names().value_or(node.pending(node.path));
            BOOST_TEST(names.contains("late"));
        }
    };
    int appended = 0;
    int committed = 0;
    BOOST_TEST(with_a_write_before_each_call(
                   node_with_database, act,
                   [&](Node& node) {
                       const bool done = node.client_appends("late");
                       appended += done ? 1 : 0;
                       return done;
                   },
                   check) >= 10);
    BOOST_TEST(with_a_write_before_each_call(
                   node_with_database, act,
                   [&](Node& node) {
                       const bool done = node.client_commits("late");
                       committed += done ? 1 : 0;
                       return done;
                   },
                   check) >= 10);
    BOOST_TEST(appended >= 2); // some came through, or this test would show nothing
    BOOST_TEST(committed >= 2);
}

// ---- Uploads.

BOOST_AUTO_TEST_CASE(a_claimed_upload_has_a_name_that_its_sender_does_not_know) {
    Node node;
    upload(node);
    const std::string tmp = node.device + "/tmp";
    const auto claimed = storage::claim(node.disk, tmp, "upload", node.random);
    BOOST_REQUIRE(claimed);
    BOOST_TEST(!node.disk.stat(tmp + "/upload"));
    BOOST_TEST(node.names(*claimed)->contains("new"));
    BOOST_TEST(!storage::claim(node.disk, tmp, "upload", node.random));
    upload(node); // the late retry
    const auto second = storage::claim(node.disk, tmp, "upload", node.random);
    BOOST_TEST(second.value() != *claimed);
}

BOOST_AUTO_TEST_CASE(a_link_is_claimed_itself_wherever_it_leads) {
    Node node;
    upload(node);
    const std::string tmp = node.device + "/tmp";
    for (const std::string& target : {tmp + "/upload", node.device, node.device + "/none"}) {
        BOOST_REQUIRE(node.disk.make_link(target, tmp + "/link"));
        const auto claimed = storage::claim(node.disk, tmp, "link", node.random);
        BOOST_REQUIRE(claimed);
        BOOST_TEST((node.disk.read_link(*claimed) == target)); // for its opener to refuse
        BOOST_TEST(!node.disk.read_link(tmp + "/link"));
    }
    BOOST_TEST(node.disk.stat(tmp + "/upload").has_value());
}

BOOST_AUTO_TEST_CASE(a_directory_in_tmp_is_no_upload) {
    Node node;
    node.disk.make_directories(node.device + "/tmp/x.removed");
    BOOST_TEST(!storage::claim(node.disk, node.device + "/tmp", "x.removed", node.random));
    BOOST_TEST(node.disk.stat(node.device + "/tmp/x.removed").has_value());
}

BOOST_AUTO_TEST_CASE(a_file_is_installed_where_nothing_is) {
    Node node;
    const std::string file = upload(node);
    BOOST_TEST(storage::install(node.broker, file, node.path, node.device, node.soon()));
    BOOST_TEST((node.names() == Names{"new"}));
    BOOST_TEST(!node.disk.stat(file));
}

BOOST_AUTO_TEST_CASE(a_journal_that_was_left_of_an_earlier_file_is_not_played_back_into_a_new_one) {
    Node node;
    const std::string journal = node.path + "-journal";
    node.disk.make_directories(node.directory);
    node.disk.write(journal, std::string("pages of a database that is gone"));
    const std::string file = upload(node);
    BOOST_TEST(storage::install(node.broker, file, node.path, node.device, node.soon()));
    BOOST_TEST((node.names() == Names{"new"}));
    BOOST_TEST(!node.disk.stat(journal));
}

BOOST_AUTO_TEST_CASE(a_journal_beside_a_database_is_left_alone_by_an_install) {
    auto node = node_with_database();
    const std::string journal = node->path + "-journal";
    node->disk.write(journal, std::string("its own"));
    BOOST_TEST(
        !storage::install(node->broker, upload(*node), node->path, node->device, node->soon()));
    BOOST_TEST(node->disk.stat(journal).has_value());
}

BOOST_AUTO_TEST_CASE(a_file_never_replaces_a_database_by_being_installed) {
    auto node = node_with_database();
    const std::string file = upload(*node);
    BOOST_TEST(!storage::install(node->broker, file, node->path, node->device, node->soon()));
    const std::string epoch = node->directory + '/' + node->hash + "_1402464677.04188.db";
    BOOST_TEST(!storage::install(node->broker, file, epoch, node->device, node->soon()));
    BOOST_TEST(complete(*node));
    BOOST_TEST(node->names(file)->contains("new"));
}

BOOST_AUTO_TEST_CASE(a_file_that_was_installed_survives_a_crash_and_half_an_install_shows_nothing) {
    const auto make = [] {
        auto node = empty_node();
        const std::string file = node->device + "/tmp/upload";
        node->create(file);
        node->put("new", file);
        return node;
    };
    const auto act = [](Node& node) {
        BOOST_TEST(storage::install(node.broker, node.device + "/tmp/upload", node.path,
                                    node.device, node.soon()));
    };
    const auto check = [](Node& node, bool done) {
        const bool installed = node.names() == Names{"new"};
        BOOST_TEST((installed || !node.disk.stat(node.path)));
        BOOST_TEST((installed || !done));
    };
    BOOST_TEST(with_each_call_failing(make, act, check) >= 7);
    BOOST_TEST(with_a_crash_before_each_call(make, act, check) >= 7);
}

BOOST_AUTO_TEST_CASE(of_two_that_install_at_once_neither_is_overwritten) {
    int times = 0;
    for (int n = 1;; ++n) {
        Node node;
        const std::string file = upload(node);
        int calls = 0;
        bool created = false;
        node.disk.on_call([&](SimCall, const std::string&) {
            if (++calls == n) {
                node.disk.on_call(nullptr);
                created = client_creates(node);
            }
        });
        const bool installed =
            storage::install(node.broker, file, node.path, node.device, node.soon());
        BOOST_TEST(installed != created);
        BOOST_TEST((node.names() == (created ? Names{"theirs"} : Names{"new"})));
        BOOST_TEST(node.disk.stat(file).has_value() == created);
        times += created ? 1 : 0;
        if (calls < n) {
            break;
        }
    }
    BOOST_TEST(times > 1); // before the directory is locked
}

BOOST_AUTO_TEST_CASE(a_replacement_sees_every_row_that_a_client_was_told_is_stored) {
    const auto make = [] {
        auto node = node_with_database();
        upload(*node);
        return node;
    };
    const auto act = [](Node& node) {
        const std::string file = node.device + "/tmp/upload";
        const auto catch_up = [&](auto& existing) {
            node.open(file).merge_items(existing.items_since(-1, 1000), "");
        };
        BOOST_TEST(storage::replace(node.broker, file, node.path, node.soon(), catch_up,
                                    [&](const FileStatus&) { node.disk.remove(file); }));
    };
    const auto whole = [](Node& node, bool acknowledged) {
        const auto names = node.names().value();
        BOOST_TEST((names.contains("one") && names.contains("two")));
        BOOST_TEST((!acknowledged || names.contains("late")));
    };
    const auto either = [](Node& node, bool done) {
        const auto names = node.names().value();
        BOOST_TEST((names.contains("one") && names.contains("two")));
        BOOST_TEST((!done || names.contains("new")));
    };
    BOOST_TEST(with_a_write_before_each_call(
                   make, act, [](Node& node) { return node.client_appends("late"); }, whole) > 8);
    BOOST_TEST(with_a_write_before_each_call(
                   make, act, [](Node& node) { return node.client_commits("late"); }, whole) > 8);
    BOOST_TEST(with_each_call_failing(make, act, either) > 8);
    BOOST_TEST(with_a_crash_before_each_call(make, act, either) > 8);
}

// ---- Beside a server that locks nothing.

namespace {

/// A stock server's merge renames its result over the database, whoever has that locked: with all
/// rows that were there and the row "merged".
void stock_renames_over(Node& node) {
    const std::string file = node.device + "/tmp/stock";
    node.create(file);
    if (node.store.has(node.path)) {
        node.open(file).merge_items(node.store.stored(node.path), "");
    }
    node.put("merged", file);
    node.disk.rename(file, node.path);
}

/// Runs `act` on fresh nodes, each time with a rename of a stock server before another call of the
/// disk, then `check(node, whether it came through)`. Returns how often it did.
int with_a_rename_before_each_call(const auto& make, const auto& act, const auto& check) {
    int times = 0;
    for (int n = 1;; ++n) {
        auto node = make();
        int calls = 0;
        bool renamed = false;
        node->disk.on_call([&](SimCall, const std::string&) {
            if (++calls == n) {
                node->disk.on_call(nullptr);
                if (node->disk.stat(node->path)) {
                    stock_renames_over(*node);
                    renamed = true;
                }
            }
        });
        try {
            act(*node);
        } catch (const Failure& failure) {
            BOOST_TEST((failure.error() == Error::moved), failure.what());
        }
        node->disk.on_call(nullptr);
        check(*node, renamed);
        times += renamed ? 1 : 0;
        if (calls < n) {
            return times;
        }
    }
}

} // namespace

BOOST_AUTO_TEST_CASE(a_file_that_takes_the_place_of_one_that_is_removed_is_not_removed_with_it) {
    BOOST_TEST(with_a_rename_before_each_call(
                   node_with_database,
                   [](Node& node) {
                       (void)remove(node, [](const ContainerInfo& now) { // peers have two rows
                           return now.count == 2 ? std::string() : std::string("changed");
                       });
                   },
                   [](Node& node, bool renamed) {
                       if (renamed) {
                           BOOST_TEST((node.names() == Names{"one", "two", "merged"}));
                       }
                   }) > 8);
}

BOOST_AUTO_TEST_CASE(a_file_that_takes_the_place_of_one_that_is_replaced_is_not_replaced_unmerged) {
    BOOST_TEST(with_a_rename_before_each_call(
                   [] {
                       auto node = node_with_database();
                       upload(*node);
                       return node;
                   },
                   [](Node& node) {
                       const std::string file = node.device + "/tmp/upload";
                       const auto catch_up = [&](auto& existing) {
                           node.open(file).merge_items(existing.items_since(-1, 1000), "");
                       };
                       const bool done =
                           storage::replace(node.broker, file, node.path, node.soon(), catch_up,
                                            [&](const FileStatus&) { node.disk.remove(file); });
                       BOOST_TEST(done == node.names()->contains("new"));
                       BOOST_TEST(node.disk.stat(file).has_value() == !done); // to be merged again
                   },
                   [](Node& node, bool renamed) {
                       const auto names = node.names().value();
                       BOOST_TEST((names.contains("one") && names.contains("two")));
                       BOOST_TEST((!renamed || names.contains("merged") || names.contains("new")));
                   }) > 8);
}

BOOST_AUTO_TEST_CASE(a_directory_that_is_made_while_one_is_put_back_is_no_obstacle) {
    auto node = node_with_database();
    node->disk.on_call([&](SimCall call, const std::string& path) {
        if (call == SimCall::rename && path == node->directory) {
            node->disk.on_call([&](SimCall next, const std::string&) {
                if (next == SimCall::rename_new) { // a server wants the lock meanwhile
                    node->disk.on_call(nullptr);
                    (void)node->disk.try_lock(node->directory);
                }
            });
            stock_renames_over(*node);
        }
    });
    BOOST_TEST(remove(*node) == "another file has taken its place");
    BOOST_TEST((node->names() == Names{"one", "two", "merged"}));
}

// A stock server waits 10 s for the lock of a directory, and then refuses its client.
BOOST_AUTO_TEST_CASE(while_somebody_reads_a_database_its_directory_is_free_every_other_moment) {
    for (const bool replaces : {false, true}) {
        auto node = node_with_database();
        const std::string file = upload(*node);
        auto reader = node->open();
        const auto read = reader.exclusive(node->soon());
        int free = 0;
        const Instant start = node->clock.monotonic();
        for (int at = 0; at < 250; ++at) { // a server that polls each 100 ms
            node->clock.at(start + at * 100ms, [&] {
                free += node->disk.try_lock(node->directory).has_value() ? 1 : 0;
            });
        }
        const Instant deadline = start + 25s;
        BOOST_TEST((error_of([&] {
                        if (replaces) {
                            (void)storage::replace(
                                node->broker, file, node->path, deadline, [](auto&) {},
                                [](const FileStatus&) {});
                        } else {
                            (void)storage::remove(node->broker, node->path, node->device,
                                                  node->random, deadline,
                                                  [](const auto&) { return std::string(); });
                        }
                    }) == Error::locked));
        BOOST_TEST((node->clock.monotonic() >= deadline));
        BOOST_TEST((node->clock.monotonic() < deadline + 1s));
        BOOST_TEST(free >= 10);
        BOOST_TEST(complete(*node));
    }
}

// ---- Space.

BOOST_AUTO_TEST_CASE(a_file_that_has_no_directory_to_lie_in_is_no_database_that_is_gone) {
    auto node = node_with_database();
    const std::string nowhere = node->device + "/nowhere/file";
    BOOST_TEST((error_of([&] { storage::make_private_file(node->disk, nowhere); }) == Error::io));
    BOOST_TEST((error_of([&] {
                    node->broker.open(node->path, node->soon()).copy_to(nowhere, node->soon());
                }) == Error::io));
    node->disk.fail_next(SimCall::any, "file", Error::no_space, 0);
    BOOST_TEST((error_of([&] { storage::make_private_file(node->disk, node->device + "/file"); }) ==
                Error::no_space));
}

BOOST_AUTO_TEST_CASE(what_comes_to_a_device_leaves_its_reserve_free) {
    Node node;
    node.disk.mount(node.device, 1000);
    node.disk.write(node.device + "/file", std::string(400, 'x'));
    const Space space = node.disk.space(node.device);
    BOOST_REQUIRE(space.total == 1000U);
    const auto left = static_cast<std::int64_t>(space.free);
    const auto full = [&](Reserve reserve, std::int64_t bytes) {
        return storage::is_full(node.disk, node.device, reserve, bytes);
    };
    BOOST_TEST(!full({0, false}, left));
    BOOST_TEST(full({0, false}, left + 1));
    BOOST_TEST(!full({50, false}, left - 50));
    BOOST_TEST(full({50, false}, left - 49));
    BOOST_TEST(!full({10, true}, left - 100));
    BOOST_TEST(full({10, true}, left - 99));
    BOOST_TEST(!full({static_cast<double>(left), false}, 0));
    BOOST_TEST(full({static_cast<double>(left) + 1, false}, 0));
}
