#include <replica/send/rsync.hpp>

#define BOOST_TEST_MODULE rsync
#include <boost/test/unit_test.hpp>

#include <support/duo.hpp>

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

using namespace replica;
using namespace replica::test;
using namespace std::chrono_literals;

namespace {

using Kinds = std::tuple<AccountKind, ContainerKind>;
using Said = std::vector<std::string>;
using message::CompleteRsync;
using message::RsyncThenMerge;

/// A node with two rows and a peer that has made its tmp.
template <class Kind>
struct Pair : Duo<Kind> {
    Pair() {
        this->nodes.put_many(0, this->name, "row", 2);
        this->there().disk.make_directories(this->device() + "/tmp");
        this->here().disk.make_directories(this->device() + "/tmp");
        this->files.on_transfer([this](const std::string& path, const Upload& upload) {
            paths.push_back(path);
            uploads.push_back(upload);
            if (during) {
                during();
            }
        });
    }

    template <class Finish = CompleteRsync>
    Result<decide::Outcome> push(std::int64_t remote_rows = 0) {
        return this->with_task([&](auto& task, const Device& device) {
            PeerSession peer(task.pass, task.heartbeat, device, task.place);
            typename Kind::info_type remote;
            remote.count = remote_rows;
            return push_file<Finish>(task, peer, remote);
        });
    }

    [[nodiscard]] std::set<std::string> tmp(SimDisk& disk) {
        std::set<std::string> names;
        for (const Entry& entry : disk.list(this->device() + "/tmp")) {
            names.insert(entry.name);
        }
        return names;
    }

    std::vector<std::string> paths;
    std::vector<Upload> uploads;
    std::function<void()> during;
};

using Containers = Pair<ContainerKind>;

/// Another program is in the middle of a change, with a journal beside the file.
struct Writer {
    explicit Writer(Containers& duo) : connection(duo.here().store.stock(duo.path())) {
        connection.execute("BEGIN IMMEDIATE; UPDATE container_info SET reported_object_count = 7");
        BOOST_REQUIRE(duo.here().disk.stat(duo.path() + "-journal").has_value());
    }

    StockConnection connection;
};

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(a_file_that_nobody_writes_to_is_sent_as_it_is, Kind, Kinds) {
    Pair<Kind> duo;
    BOOST_TEST((*duo.push() == decide::Outcome::done));
    BOOST_TEST(duo.paths == Said{duo.path()}, boost::test_tools::per_element());
    BOOST_TEST(duo.uploads[0].name == duo.open().info().id); // what a receiver notes the point of
    BOOST_TEST(duo.uploads[0].whole_file);
    BOOST_TEST(!duo.uploads[0].different_region);
    BOOST_TEST(duo.said() == Said{"complete_rsync 204"}, boost::test_tools::per_element());
    BOOST_TEST(duo.nodes.names(1, duo.name).size() == 2U);
    BOOST_TEST(duo.stats().bytes > 0);
}

BOOST_AUTO_TEST_CASE(a_file_that_is_written_to_meanwhile_is_sent_again_from_a_private_copy) {
    Containers duo;
    duo.during = [&] {
        if (duo.paths.size() == 1) {
            duo.nodes.put(0, duo.name, "late");
        }
    };
    BOOST_TEST((*duo.push() == decide::Outcome::done));
    BOOST_REQUIRE(duo.paths.size() == 2);
    BOOST_TEST(duo.paths[1].starts_with(duo.device() + "/tmp/" + duo.open().info().id + '.'));
    BOOST_TEST(!duo.uploads[1].whole_file); // most of it lies there already
    BOOST_TEST(duo.uploads[1].name == duo.uploads[0].name);
    BOOST_TEST(duo.nodes.names(1, duo.name).contains("late"));
    BOOST_TEST(duo.tmp(duo.here().disk).empty());
    BOOST_TEST(duo.tmp(duo.there().disk).empty());
}

BOOST_AUTO_TEST_CASE(writes_without_end_do_not_keep_it_from_ending) {
    Containers duo;
    int writes = 0;
    duo.during = [&] { duo.nodes.put(0, duo.name, "late" + std::to_string(++writes)); };
    BOOST_TEST((*duo.push() == decide::Outcome::done));
    BOOST_TEST(duo.paths.size() == 2U);
    BOOST_TEST(duo.nodes.names(1, duo.name).size() == 3U); // complete as of the copy
}

BOOST_AUTO_TEST_CASE(a_file_with_a_journal_is_not_sent_live_at_all) {
    Containers duo;
    const Writer writer(duo);
    BOOST_TEST((*duo.push() == decide::Outcome::done));
    BOOST_REQUIRE(duo.paths.size() == 1);
    BOOST_TEST(duo.paths[0] != duo.path());
    BOOST_TEST(duo.uploads[0].whole_file); // there is nothing like it there
    BOOST_TEST(duo.nodes.names(1, duo.name).size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_transfer_that_fails_is_not_finished_and_leaves_nothing_here) {
    for (const auto fault :
         {SimTransferFault::fail, SimTransferFault::partial, SimTransferFault::silent}) {
        for (const bool second : {false, true}) {
            Containers duo;
            std::optional<Writer> writer;
            if (second) {
                writer.emplace(duo);
            }
            duo.files.fail("", fault);
            const auto outcome = duo.push();
            BOOST_REQUIRE(!outcome);
            BOOST_TEST(
                (outcome.error().code ==
                 (fault == SimTransferFault::silent ? Error::timed_out : Error::transfer_failed)));
            BOOST_TEST(duo.said().empty());
            BOOST_TEST(duo.tmp(duo.here().disk).empty());
            BOOST_TEST(!duo.there().disk.stat(duo.path()));
            BOOST_TEST(duo.push().has_value()); // no reason to wait
        }
    }
}

BOOST_AUTO_TEST_CASE(a_private_copy_that_cannot_be_made_is_a_local_failure_and_leaves_nothing) {
    Containers duo;
    const Writer writer(duo);
    duo.here().disk.fail_next(SimCall::vfs_write, ".copy", Error::no_space);
    BOOST_CHECK_THROW(duo.push(), Failure);
    BOOST_TEST(duo.tmp(duo.here().disk).empty());
    BOOST_TEST(duo.said().empty());
}

BOOST_AUTO_TEST_CASE(a_private_copy_that_would_fill_the_device_is_not_made) {
    for (const bool room : {true, false}) {
        Containers duo;
        auto& disk = duo.here().disk;
        duo.settings.fallocate_reserve = {1000, false};
        const auto size = static_cast<std::uint64_t>(disk.stat(duo.path())->size);
        disk.mount(duo.device(), 1 << 20);
        const Space now = disk.space(duo.device());
        const std::uint64_t used = now.total - now.free;
        disk.mount(duo.device(), used + size + (room ? 2000U : 900U));
        duo.during = [&] { // before the copy has been made
            if (duo.paths.size() == 1) {
                duo.nodes.put(0, duo.name, "late");
            }
        };
        const auto outcome = duo.push();
        BOOST_TEST(outcome.has_value() == room);
        if (!room) {
            BOOST_TEST((outcome.error().code == Error::no_space));
            BOOST_TEST(outcome.error().what.starts_with(duo.path()));
            BOOST_TEST(duo.said().empty()); // what went over is torn
        }
        BOOST_TEST(duo.tmp(disk).empty());
    }
}

BOOST_AUTO_TEST_CASE(the_time_for_a_transfer_grows_with_the_file) {
    Containers duo;
    const auto takes = [&](double seconds) {
        duo.files.bandwidth(static_cast<double>(duo.here().disk.stat(duo.path())->size) / seconds);
    };
    takes(10.5); // node_timeout and a bit, for a few KiB
    const auto slow = duo.push();
    BOOST_REQUIRE(!slow);
    BOOST_TEST((slow.error().code == Error::timed_out));
    duo.nodes.put_many(0, duo.name, "more", 20'000); // more than 1 MiB: a second more
    BOOST_REQUIRE(duo.here().disk.stat(duo.path())->size > 1 << 20);
    takes(10.9);
    BOOST_TEST(duo.push().has_value());
}

BOOST_AUTO_TEST_CASE(an_answer_that_did_not_come_keeps_this_database_from_this_peer_for_a_while) {
    Containers duo;
    duo.nodes.network().fail(Containers::verb("complete_rsync"), SimFault::silent);
    const Instant began = duo.clock.monotonic();
    const auto first = duo.push();
    BOOST_TEST((first.error().code == Error::timed_out));
    const auto waited = duo.clock.monotonic() - began; // node_timeout, and a moment for the rows
    BOOST_TEST((waited >= 10s));
    BOOST_TEST((waited < 11s));
    BOOST_TEST((duo.push().error().code == Error::held_back));
    BOOST_TEST(duo.paths.size() == 1U); // not a byte was sent
    duo.clock.advance(Seconds(19));
    BOOST_TEST((duo.push().error().code == Error::held_back));
    duo.clock.advance(Seconds(2));
    BOOST_TEST(duo.push().has_value());
}

BOOST_AUTO_TEST_CASE(a_peer_that_went_away_gets_a_new_file_soon_and_one_that_may_merge_does_not) {
    for (const bool merge : {false, true}) {
        for (const SimFault fault : {SimFault::lose_reply, SimFault::silent}) {
            Containers duo;
            duo.nodes.create(1, duo.name);
            duo.nodes.network().fail({}, fault);
            const auto push = [&] { // 1000 s for the rows
                return merge ? duo.push<RsyncThenMerge>(1'999'998) : duo.push(1'999'998);
            };
            BOOST_TEST(!push());
            duo.clock.advance(Seconds(19));
            BOOST_TEST((push().error().code == Error::held_back));
            duo.clock.advance(Seconds(2));
            const bool soon = !merge && fault == SimFault::lose_reply;
            BOOST_TEST(push().has_value() == soon);
            duo.clock.advance(Seconds(2000));
            BOOST_TEST(push().has_value());
        }
    }
}

BOOST_AUTO_TEST_CASE(a_peer_whose_own_replicator_renews_its_id_may_still_be_merging) {
    Containers duo;
    duo.nodes.create(1, duo.name);
    duo.nodes.network().fail({}, SimFault::lose_reply);
    const auto push = [&](const std::string& remote_id) {
        return duo.with_task([&](auto& task, const Device& device) {
            PeerSession peer(task.pass, task.heartbeat, device, task.place);
            auto remote = duo.open(1).info();
            remote.id = remote_id;
            return push_file<RsyncThenMerge>(task, peer, remote);
        });
    };
    BOOST_TEST((push("before").error().code == Error::connection_lost));
    BOOST_TEST((push("before").error().code == Error::held_back));
    BOOST_TEST((push("renewed").error().code == Error::held_back));
    duo.clock.advance(Seconds(21));
    BOOST_TEST(push("renewed").has_value());
}

BOOST_AUTO_TEST_CASE(a_file_that_was_to_be_put_in_place_is_there_or_refused_once_the_peer_has_one) {
    Containers duo;
    duo.nodes.network().fail(Containers::verb("complete_rsync"), SimFault::silent);
    BOOST_TEST((duo.push().error().code == Error::timed_out));
    BOOST_TEST((duo.push().error().code == Error::held_back));
    duo.nodes.create(1, duo.name);
    const auto merge = [&] {
        return duo.with_task([&](auto& task, const Device& device) {
            PeerSession peer(task.pass, task.heartbeat, device, task.place);
            return push_file<RsyncThenMerge>(task, peer, duo.open(1).info());
        });
    };
    BOOST_TEST(merge().has_value());
}

// ---- Places (defect 44).

BOOST_AUTO_TEST_CASE(who_would_wait_for_large_files_is_held_back_and_after_that_nobody_waits) {
    Containers duo;
    duo.settings.transfers_per_device = 1;
    duo.during = [&] {
        duo.during = {};
        const Instant began = duo.clock.monotonic();
        const auto second = duo.push();
        BOOST_TEST((second.error().code == Error::held_back));
        BOOST_TEST(second.error().what.find("10.0.0.2:6201/sda: as many whole files") == 0U);
        BOOST_TEST((duo.clock.monotonic() - began == 2s));
        BOOST_TEST((duo.push().error().code == Error::held_back));
        BOOST_TEST((duo.clock.monotonic() - began == 2s));
    };
    BOOST_TEST(duo.push().has_value());
    BOOST_TEST(duo.uploads.size() == 1U);
    BOOST_TEST(duo.push().has_value()); // the place is free again
}

BOOST_AUTO_TEST_CASE(a_place_is_kept_while_a_private_copy_is_sent) {
    Containers duo;
    duo.settings.transfers_per_device = 1;
    duo.during = [&] {
        if (duo.paths.size() == 1) {
            duo.nodes.put(0, duo.name, "late");
            return;
        }
        duo.during = {};
        BOOST_TEST((duo.push().error().code == Error::held_back));
    };
    BOOST_TEST(duo.push().has_value());
    BOOST_TEST(duo.paths.size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_failed_transfer_gives_its_place_back_and_a_stop_ends_the_wait) {
    Containers duo;
    duo.settings.transfers_per_device = 1;
    duo.nodes.files().fail("", SimTransferFault::fail, 1);
    BOOST_TEST(!duo.push());
    duo.during = [&] {
        duo.during = {};
        duo.clock.at(duo.clock.monotonic() + 1s, [&] { duo.stop.request_stop(); });
        BOOST_TEST((duo.push().error().code == Error::stopped));
    };
    (void)duo.push();
    BOOST_TEST(duo.uploads.size() >= 1U);
    BOOST_TEST(!duo.during); // it came to the transfer
}

BOOST_AUTO_TEST_CASE(without_a_limit_as_many_are_on_their_way_as_there_are_workers) {
    Containers duo;
    duo.settings.transfers_per_device = 0;
    int deep = 0;
    const Instant began = duo.clock.monotonic();
    duo.during = [&] {
        if (++deep < 10) {
            (void)duo.push();
        }
    };
    (void)duo.push();
    BOOST_TEST(deep == 10);
    BOOST_TEST((duo.clock.monotonic() == began));
}

BOOST_AUTO_TEST_CASE(a_finish_whose_answer_was_lost_is_not_repeated_blindly) {
    Containers duo;
    bool repeatable = true;
    duo.nodes.network().before(
        [&](const SimExchange&, const Request& request) { repeatable = request.repeatable; });
    duo.nodes.network().fail(Containers::verb("complete_rsync"), SimFault::lose_reply);
    BOOST_TEST((duo.push().error().code == Error::connection_lost));
    BOOST_TEST(!repeatable);
    BOOST_TEST(duo.nodes.names(1, duo.name).size() == 2U); // it was done all the same
    BOOST_TEST((duo.push().error().code == Error::held_back));
}

BOOST_AUTO_TEST_CASE(a_finish_that_was_refused_may_be_tried_again_at_once) {
    for (const int status : {404, 500, 503}) {
        Containers duo;
        duo.nodes.network().answer(Containers::verb("complete_rsync"), Reply{status, "", "", ""});
        BOOST_TEST(!duo.push());
        BOOST_TEST(duo.push().has_value());
    }
}

BOOST_AUTO_TEST_CASE(a_merge_is_given_a_second_for_two_thousand_rows_of_both_sides) {
    Containers duo;
    duo.nodes.create(1, duo.name);
    duo.nodes.network().fail(Containers::verb("rsync_then_merge"), SimFault::silent, 0);
    const auto waited = [&](std::int64_t remote_rows) {
        const Instant began = duo.clock.monotonic();
        BOOST_TEST(!duo.push<RsyncThenMerge>(remote_rows));
        const auto result = duo.clock.monotonic() - began;
        duo.clock.advance(Seconds(10 * 86400));
        return Seconds(result).count();
    };
    BOOST_TEST(waited(1'999'998) == 1010.0);
    BOOST_TEST(waited(-5'000'000) == 10.0); // sums can be wrong
    BOOST_TEST(waited(9'223'372'036'854'775'807) == 86410.0);
}

BOOST_AUTO_TEST_CASE(another_region_is_told_apart) {
    Containers duo;
    duo.with_task([&](auto& task, Device device) {
        device.region = 2;
        PeerSession peer(task.pass, task.heartbeat, device, task.place);
        BOOST_TEST(push_file<CompleteRsync>(task, peer, {}).has_value());
        return 0;
    });
    BOOST_TEST(duo.uploads[0].different_region);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_row_written_at_any_moment_is_sent_or_stays_above_the_point, Kind,
                              Kinds) {
    int late_there = 0;
    for (int n = 1;; ++n) {
        Pair<Kind> duo;
        int calls = 0;
        bool inside = false;
        duo.here().disk.on_call([&](SimCall, const std::string&) {
            if (!inside && ++calls == n) {
                inside = true;
                try { // which does not wait for the lock of somebody whom it interrupts
                    duo.here()
                        .broker.open(duo.path(), duo.clock.monotonic())
                        .put(duo.nodes.next_row("late", 1, false));
                } catch (const Failure& failure) {
                    BOOST_TEST((failure.error() == Error::locked), failure.what());
                }
                inside = false;
            }
        });
        BOOST_TEST(duo.push().has_value());
        duo.here().disk.on_call(nullptr);
        const auto names = duo.nodes.names(1, duo.name);
        BOOST_TEST(names.size() >= 2U);
        const std::string id = duo.open(0).info().id;
        BOOST_TEST(duo.open(1).sync_point(id, Direction::incoming) ==
                   static_cast<std::int64_t>(names.size()));
        late_there += names.contains("late") ? 1 : 0;
        if (calls < n) {
            break;
        }
    }
    BOOST_TEST(late_there > 0);
}
