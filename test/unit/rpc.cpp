#include <replica/rpc.hpp>

#define BOOST_TEST_MODULE rpc
#include <boost/test/unit_test.hpp>

#include <support/each_call.hpp>
#include <support/one_node.hpp>
#include <support/shard_ranges.hpp>

#include <algorithm>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

using namespace replica;
using namespace replica::test;

namespace {

using Names = std::set<std::string>;

/// Keeps what was said of requests.
struct Heard {
    struct Notes {
        std::vector<std::string> served;
        std::vector<std::string> set_aside;
        std::vector<std::string> failed;
        std::vector<std::string> quarantined;
    };
    std::shared_ptr<Notes> notes = std::make_shared<Notes>();

    void operator()(const event::Served& event) const {
        notes->served.push_back(std::string(event.verb) + ' ' + std::to_string(event.status));
    }
    void operator()(const event::SetAside& event) const { notes->set_aside.push_back(event.what); }
    void operator()(const event::ServeFailed& event) const { notes->failed.push_back(event.what); }
    void operator()(const event::Quarantined& event) const {
        notes->quarantined.push_back(event.target);
    }
    template <class Event>
    void operator()(const Event& /*event*/) const {}
};

/// One node with a receiver.
template <class Kind>
struct Receiver : OneNode<Kind> {
    using Node = OneNode<Kind>;
    using Broker = typename Node::Broker;

    explicit Receiver(Settings settings_ = {})
        : settings(with(std::move(settings_))), server(settings, this->broker, heard) {}

    static Settings with(Settings settings) {
        settings.devices = Node::root;
        settings.hash_path_suffix = "changeme";
        settings.seed = 1;
        return settings;
    }

    [[nodiscard]] Request request(const std::string& body) const {
        return {"sda", "1", this->hash, body, true};
    }
    Reply ask(const std::string& body) { return server.handle(request(body)); }

    [[nodiscard]] message::Sync remote(std::int64_t max_row, const std::string& hash = {}) const {
        message::Sync sync;
        sync.max_row = max_row;
        sync.hash = hash;
        sync.id = "peer-sdb";
        if (this->store.has(this->path)) {
            sync.times = this->store.info(this->path).timestamps();
        }
        return sync;
    }
    auto sync(const message::Sync& sync) {
        const Reply reply = ask(message::encode(sync));
        BOOST_REQUIRE_MESSAGE(reply.status == 200, reply.body);
        return message::decode_reply<typename Node::Info>(reply.body);
    }

    Heard heard;
    Settings settings;
    RpcServer<Broker, Heard> server;
};

using Containers = Receiver<ContainerKind>;
using Accounts = Receiver<AccountKind>;
using Kinds = std::tuple<AccountKind, ContainerKind>;

std::string rows_body(const Containers& node, const std::vector<std::string>& names,
                      std::int64_t first, const std::string& source = "peer-sdb") {
    std::vector<ObjectRow> rows;
    for (const auto& name : names) {
        rows.push_back(node.row(name));
        rows.back().rowid = first++;
    }
    return message::encode_rows(rows, source);
}

} // namespace

// ---- Doors.

BOOST_AUTO_TEST_CASE(a_path_that_is_no_device_partition_and_hash_is_refused) {
    Containers node;
    node.create();
    const auto before = node.disk.dump();
    const auto status = [&](const std::string& device, const std::string& partition,
                            const std::string& hash) {
        return node.server.handle({device, partition, hash, "[\"sync\"]", true}).status;
    };
    for (const char* device : {"", ".", "..", "../x", "a/b", ".hidden", "a\r\nb"}) {
        BOOST_TEST(status(device, "1", node.hash) == 400, device);
    }
    for (const char* partition : {"", "x", "-1", "+1", " 1", "01", "1_0", "99999999999", "1/2"}) {
        BOOST_TEST(status("sda", partition, node.hash) == 400, partition);
    }
    for (const char* hash : {"", "abc", "..", "E8FBCD486A77117E2CD3398AA1F9485F",
                             "e8fbcd486a77117e2cd3398aa1f9485/"}) {
        BOOST_TEST(status("sda", "1", hash) == 400, hash);
    }
    BOOST_TEST((node.disk.dump() == before));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_odd_request_is_refused_and_touches_nothing, Kind, Kinds) {
    Receiver<Kind> node;
    node.create();
    node.put("one");
    const auto before = node.written();
    const auto files = node.disk.dump();
    for (const char* body :
         {"",
          "not json at all",
          "{\"sync\": 1}",
          "\"sync\"",
          "[]",
          "[7]",
          "[null]",
          "[\"\"]",
          "[\"__class__\"]",
          "[\"pop\"]",
          "[\"dispatch\", 1]",
          "[\"get_shard_ranges\", 1]",
          "[\"merge_shard_ranges\"]",
          "[\"merge_shard_ranges\", {}]",
          "[\"merge_shard_ranges\", [{}]]",
          "[\"SYNC\"]",
          "[\"sync\"]",
          "[\"sync\", 3, \"a\"]",
          "[\"sync\", \"3\", \"h\", \"id\", \"1.0\", \"1.0\", \"0\", \"\"]",
          "[\"sync\", 3, null, \"id\", \"1.0\", \"1.0\", \"0\", \"\"]",
          "[\"sync\", 3, \"h\", \"../id\", \"1.0\", \"1.0\", \"0\", \"\"]",
          "[\"sync\", 3, \"h\", \"id\", \"soon\", \"1.0\", \"0\", \"\"]",
          "[\"sync\", 3, \"h\", \"id\", \"1.0\", \"1.0\", \"0\", \"\", \"1.0\", \"3\", 0]",
          "[\"merge_items\"]",
          "[\"merge_items\", {}, \"id\"]",
          "[\"merge_items\", [7], \"id\"]",
          "[\"merge_items\", [{\"name\": \"x\"}], \"id\"]",
          "[\"merge_syncs\"]",
          "[\"merge_syncs\", [{\"remote_id\": \"r\", \"sync_point\": \"9\"}]]",
          "[\"merge_syncs\", [], \"a/b\"]",
          "[\"compare\"]",
          "[\"compare\", 1, []]",
          "[\"compare\", 1, [0]]",
          "[\"put_file\"]",
          "[\"put_file\"]\nx",
          "[\"put_file\", \"id\", 0, 1, \"00\"]\nx",
          "[\"put_file\", \"id\", 0, 1]\nx",
          "[\"put_file\", 7, 0, 1, \"00\"]\nx",
          "[\"put_file\",\n \"id\", 0, 1, \"00\"]\nx",
          "[\"put_file\", \"../id\", 0, 1, "
          "\"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\"]\nx",
          "[\"put_file\", \"id.claimed\", 0, 1, "
          "\"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\"]\nx",
          "[\"put_file\", \"id\", 1, 1, "
          "\"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\"]\nx",
          "[\"put_file\", \"id\", 0, 1, "
          "\"2D711642B726B04401627CA9FBAC32F5C8530FB1903CC4DB02258717921A4881\"]\nx",
          "[\"complete_rsync\"]",
          "[\"complete_rsync\", \"/etc/passwd\"]",
          "[\"complete_rsync\", \"id\", \"../x.db\"]",
          "[\"rsync_then_merge\", \"..\"]"}) {
        const Reply reply = node.ask(body);
        BOOST_TEST(reply.status == 400, body << " was answered " << reply.status);
        BOOST_TEST(!reply.body.empty());
    }
    BOOST_TEST((node.written() == before));
    BOOST_TEST((node.disk.dump() == files));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(every_verb_says_404_where_there_is_no_database, Kind, Kinds) {
    Receiver<Kind> node;
    for (const std::string& body :
         {message::encode(node.remote(3)), std::string("[\"merge_items\", [], \"id\"]"),
          message::encode(message::MergeSyncs{}), std::string("[\"complete_rsync\", \"id\"]"),
          std::string("[\"rsync_then_merge\", \"id\"]")}) {
        BOOST_TEST(node.ask(body).status == 404, body);
    }
    BOOST_TEST(node.disk.stat(node.device + "/tmp").has_value()); // somebody may rsync next
    BOOST_TEST(!node.disk.stat(node.directory));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_copy_that_is_about_to_leave_does_not_vouch_for_others, Kind,
                              Kinds) {
    Receiver<Kind> node;
    node.create();
    node.put("a");
    {
        const auto mark = node.disk.try_hold(node.directory);
        const auto before = node.written();
        const Reply reply = node.ask(message::encode(node.remote(3)));
        BOOST_TEST(reply.status == 503);
        BOOST_TEST(reply.body.find("about to leave") != std::string::npos);
        BOOST_TEST((node.written() == before));
        BOOST_TEST(node.ask("[\"merge_syncs\", []]").status == 202); // it takes what it is given
    }
    BOOST_TEST(node.ask(message::encode(node.remote(3))).status == 200);
}

BOOST_AUTO_TEST_CASE(the_answers_look_like_a_stock_servers) {
    Containers node;
    Reply reply = node.ask(message::encode(node.remote(3)));
    BOOST_TEST(reply.content_type == "text/html; charset=UTF-8");
    BOOST_TEST(reply.body ==
               "<html><h1>Not Found</h1><p>The resource could not be found.</p></html>");
    node.create();
    reply = node.ask("[\"merge_syncs\", []]");
    BOOST_TEST(reply.status == 202);
    BOOST_TEST(reply.body == "<html><h1>Accepted</h1><p>The request is accepted for "
                             "processing.</p></html>");
    reply = node.ask(message::encode(node.remote(3)));
    BOOST_TEST(reply.content_type == "text/html; charset=UTF-8"); // sic
    for (const char c : reply.body) {
        BOOST_REQUIRE((c >= ' ' && c <= '~'));
    }
}

BOOST_AUTO_TEST_CASE(a_device_that_is_away_or_full_says_so_in_different_words) {
    Containers node;
    node.create();
    Request other = node.request("[\"merge_syncs\", []]");
    other.device = "sdz";
    BOOST_TEST(node.server.handle(other).status == 507);
    BOOST_TEST(node.server.handle(other).reason == "sdz is not mounted");
    node.disk.unmount(node.device);
    BOOST_TEST(node.ask("[\"merge_syncs\", []]").reason == "sda is not mounted");
    BOOST_TEST(!node.disk.stat(node.device + "/containers")); // nothing under the mount point
    node.disk.mount(node.device, 1'000'000);
    BOOST_TEST(node.ask("[\"merge_syncs\", []]").status == 202);
    const std::size_t free = node.disk.space(node.device).free;
    node.disk.write(node.device + "/big", std::string(free - 11'000, 'x'));
    BOOST_TEST(node.ask("[\"merge_syncs\", []]").status == 202); // 1 % is free
    node.disk.write(node.device + "/more", std::string(2'000, 'x'));
    const Reply reply = node.ask("[\"merge_syncs\", []]");
    BOOST_TEST(reply.status == 507);
    BOOST_TEST(reply.reason == "sda is full");
}

BOOST_AUTO_TEST_CASE(a_device_need_not_be_a_mount_where_that_is_not_asked_for) {
    Settings settings;
    settings.mount_check = false;
    Containers node(settings);
    node.disk.make_directories("/srv/node/plain");
    Request request = node.request(message::encode(node.remote(1)));
    request.device = "plain";
    BOOST_TEST(node.server.handle(request).status == 404);
    request.device = "nothing";
    BOOST_TEST(node.server.handle(request).status == 507);
    node.disk.write("/srv/node/file", "x");
    request.device = "file";
    BOOST_TEST(node.server.handle(request).status == 507);
}

BOOST_AUTO_TEST_CASE(a_device_that_hangs_takes_only_its_share_of_requests) {
    Settings settings;
    settings.receiver_limit = 2;
    Containers node(settings);
    node.create();
    int depth = 0;
    std::vector<int> statuses;
    node.disk.on_call([&](SimCall call, const std::string& path) {
        if (call == SimCall::stat && path == node.device && depth < 3) {
            ++depth; // while one request is at work another one comes in
            statuses.push_back(node.ask("[\"merge_syncs\", []]").status);
        }
    });
    BOOST_TEST(node.ask("[\"merge_syncs\", []]").status == 202);
    node.disk.on_call(nullptr);
    BOOST_TEST(std::ranges::count(statuses, 503) >= 1);
    BOOST_TEST(node.ask("[\"merge_syncs\", []]").status == 202); // and all places are free again
}

BOOST_AUTO_TEST_CASE(a_body_of_very_many_values_is_refused_before_it_is_parsed) {
    Containers node;
    node.create();
    std::string body = "[\"sync\"";
    while (body.size() < 15'000'000) {
        body += ",[]";
    }
    const Reply reply = node.ask(body + ']');
    BOOST_TEST(reply.status == 413);
    BOOST_TEST(!reply.body.empty());
    BOOST_TEST((node.heard.notes->served == std::vector<std::string>{" 413"}));
}

BOOST_AUTO_TEST_CASE(metadata_of_very_many_values_is_reported_and_the_rest_goes_on) {
    Containers node;
    node.create();
    auto remote = node.remote(1);
    remote.metadata = R"({"X-Account-Meta-A": ["b", "1400000000.00000"], "X": [[])";
    while (remote.metadata.size() < 1'000'000) {
        remote.metadata += ",[]";
    }
    remote.metadata += "]}";
    BOOST_TEST(node.ask(message::encode(remote)).status == 200);
    BOOST_REQUIRE(node.heard.notes->set_aside.size() == 1U);
    BOOST_TEST(node.heard.notes->set_aside[0].find("values") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_batch_of_a_hundred_thousand_rows_is_taken) {
    Containers node;
    node.create();
    std::string body = "[\"merge_items\", [";
    for (int i = 1; i <= 100'000; ++i) {
        const std::string n = std::to_string(i);
        body += (i == 1 ? "" : ", ") +
                (R"({"ROWID": )" + n + R"(, "name": "a,b:c[)" + n +
                 R"(", "created_at": "1700000000.00000", "size": 1, "content_type": "text/plain")"
                 R"(, "etag": "d41d8cd98f00b204e9800998ecf8427e", "deleted": 0)"
                 R"(, "storage_policy_index": 0, "one_more": null})");
    }
    body += "], \"peer-sdb\"]";
    BOOST_TEST(node.ask(body).status == 202);
    BOOST_TEST(node.open().sync_point("peer-sdb", Direction::incoming) == 100'000);
}

BOOST_AUTO_TEST_CASE(bodies_that_cost_much_share_what_there_is) {
    Containers node;
    node.create();
    node.disk.mount("/srv/node/sdb");
    const auto large = [&](int rowid) { // 1,000,000 values: about 70 MB
        std::string body = R"(["merge_items", [{"ROWID": )" + std::to_string(rowid) +
                           R"(, "name": "a", "created_at": "1.0", "size": 1, "content_type": "t",)"
                           R"( "etag": "e", "deleted": 0, "more": [0)";
        for (int i = 0; i < 1'000'000; ++i) {
            body += ",0";
        }
        return node.request(body + "]}], \"peer-sdb\"]");
    };
    Request second = large(2);
    Request elsewhere = second;
    elsewhere.device = "sdb";
    std::vector<int> statuses;
    node.disk.on_call([&](SimCall call, const std::string& path) {
        if (call == SimCall::stat && path == node.device && statuses.empty()) {
            statuses = {0}; // while one is at work others come in
            statuses = {node.server.handle(second).status, node.server.handle(elsewhere).status,
                        node.ask("[\"merge_syncs\", []]").status};
        }
    });
    BOOST_TEST(node.server.handle(large(1)).status == 202);
    node.disk.on_call(nullptr);
    BOOST_TEST((statuses == std::vector<int>{503, 404, 202}));
    BOOST_TEST(node.server.handle(second).status == 202); // it may come again
    BOOST_TEST(node.open().sync_point("peer-sdb", Direction::incoming) == 2);
}

// ---- sync.

BOOST_AUTO_TEST_CASE_TEMPLATE(sync_answers_with_the_whole_info_and_the_point, Kind, Kinds) {
    Receiver<Kind> node;
    node.create();
    node.put("one");
    node.open().merge_sync_points(std::vector<SyncPoint>{{4, "peer-sdb"}}, Direction::incoming);
    const auto reply = node.sync(node.remote(9));
    auto info = node.open().info();
    if constexpr (requires { info.live_rows; }) {
        info.live_rows = 0; // this is not for peers
    }
    BOOST_TEST((reply.info == info));
    BOOST_TEST(reply.point == 4);
}

BOOST_AUTO_TEST_CASE(sync_counts_the_rows_that_wait) {
    Containers node;
    node.create();
    node.store.put_pending(node.path, {node.row("waiting")});
    BOOST_TEST(node.sync(node.remote(9)).info.count == 1);
}

BOOST_AUTO_TEST_CASE(an_equal_hash_notes_the_senders_last_row) {
    Containers node;
    node.create();
    node.put("one");
    auto remote = node.remote(17, node.open().info().hash);
    BOOST_TEST(node.sync(remote).point == 17);
    BOOST_TEST(node.open().sync_point("peer-sdb", Direction::incoming) == 17);
    remote.max_row = 5; // an older word of it takes nothing back
    BOOST_TEST(node.sync(remote).point == 17);
}

BOOST_AUTO_TEST_CASE(only_a_real_hash_can_be_equal) {
    Containers node;
    node.create();
    node.put("one");
    const std::string upper = [&] {
        std::string hash = node.open().info().hash;
        std::ranges::transform(hash, hash.begin(),
                               [](char c) { return c >= 'a' ? static_cast<char>(c - 32) : c; });
        return hash;
    }();
    for (const std::string& hash : {std::string(), std::string("null"), upper}) {
        BOOST_TEST(node.sync(node.remote(17, hash)).point == -1);
    }
}

BOOST_AUTO_TEST_CASE(an_equal_hash_with_another_count_is_no_match) {
    Containers node;
    node.create();
    node.put("one");
    auto remote = node.remote(17, node.open().info().hash);
    remote.policy = PolicyArguments{node.open().info().status_changed_at, 0, 0};
    BOOST_TEST(node.sync(remote).point == -1);
    remote.policy->count = 1;
    BOOST_TEST(node.sync(remote).point == 17);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(sync_merges_times_and_metadata_but_answers_with_those_before, Kind,
                              Kinds) {
    Receiver<Kind> node;
    node.create();
    const auto before = node.open().info();
    auto remote = node.remote(1);
    remote.times = {"1300000000.00000", "1900000000.00000", "1900000001.00000"};
    remote.metadata = R"({"X-Account-Meta-A": ["b", "1400000000.00000"]})";
    BOOST_TEST((node.sync(remote).info == before));
    const auto after = node.open().info();
    BOOST_TEST((after.timestamps() == remote.times));
    BOOST_TEST(after.metadata.find("X-Account-Meta-A") != std::string::npos);
    remote.times = {"1300000009.00000", "1800000000.00000", "0"}; // nothing is taken back
    (void)node.sync(remote);
    BOOST_TEST((node.open().info().timestamps() == after.timestamps()));
}

BOOST_AUTO_TEST_CASE(metadata_that_cannot_be_read_is_reported_and_the_rest_goes_on) {
    Containers node;
    node.create();
    for (const char* bad : {"no JSON", "[]", "7", R"({"a": "b"})", R"({"a": [1, 2]})"}) {
        auto remote = node.remote(1);
        remote.metadata = bad;
        remote.times.put_timestamp = "1900000000.00000";
        BOOST_TEST(node.ask(message::encode(remote)).status == 200, bad);
    }
    BOOST_TEST(node.heard.notes->set_aside.size() == 5U);
    BOOST_TEST(node.open().info().metadata.empty());
    BOOST_TEST(node.open().info().put_timestamp == "1900000000.00000");
}

BOOST_AUTO_TEST_CASE(the_policy_is_settled_before_the_answer) {
    Containers node;
    auto info = node.info();
    info.storage_policy_index = 1;
    node.broker.create(node.path, info);
    node.store.execute(node.path, "UPDATE container_info SET status_changed_at = '1600000000'");
    auto remote = node.remote(1);
    remote.policy = PolicyArguments{"1500000000.00000", 0, 2};
    const auto reply = node.sync(remote);
    BOOST_TEST(reply.info.storage_policy_index == 2);
    BOOST_TEST(node.open().info().storage_policy_index == 2);
    remote.policy = PolicyArguments{"1999999999.00000", 0, 3}; // later: it has to give way itself
    BOOST_TEST(node.sync(remote).info.storage_policy_index == 2);
}

BOOST_AUTO_TEST_CASE(a_database_beyond_use_is_quarantined_and_asked_for_again) {
    for (const Error error : {Error::corrupt, Error::missing_table}) {
        Containers node;
        node.create();
        const std::string question = message::encode(node.remote(3));
        node.store.damage(node.path, error);
        BOOST_TEST(node.ask(question).status == 404);
        BOOST_TEST(node.heard.notes->quarantined.size() == 1U);
        BOOST_TEST(!node.disk.stat(node.directory));
        BOOST_TEST(
            node.disk.stat(node.device + "/quarantined/containers/" + node.hash).has_value());
    }
    Containers node;
    const std::string question = message::encode(node.remote(3));
    node.disk.write(node.path, "no database");
    BOOST_TEST(node.ask(question).status == 404);
}

BOOST_AUTO_TEST_CASE(what_only_a_write_finds_broken_is_quarantined_as_well) {
    Containers node;
    node.create();
    const auto root = std::stoull(node.store.stock(node.path).rows(
        "SELECT rootpage FROM sqlite_master WHERE name = 'object'"));
    std::string bytes = node.disk.read(node.path, 1U << 20U);
    ++bytes[27]; // of the number of changes: who has it open reads its pages anew
    ++bytes[95];
    bytes.replace((root - 1) * 4096, 4096, std::string(4096, 'x'));
    node.disk.write(node.path, bytes);
    BOOST_TEST(node.ask(message::encode(node.remote(3))).status == 200); // rows are not looked at
    const std::string row = R"(["merge_items", [{"ROWID": 1, "name": "a", "created_at": "1.0",)"
                            R"( "size": 1, "content_type": "t", "etag": "e", "deleted": 0}], "p"])";
    BOOST_TEST(node.ask(row).status == 404);
    BOOST_TEST(node.heard.notes->quarantined.size() == 1U);
    BOOST_TEST(!node.disk.stat(node.directory));
}

BOOST_AUTO_TEST_CASE(a_disk_on_which_all_looks_damaged_is_not_emptied_by_requests) {
    Containers node;
    int asked_again = 0;
    const auto request = [&](int n) {
        const std::string hash = std::string(27, 'a') + std::to_string(10'000 + n);
        const std::string path = node.device + '/' +
                                 storage_directory(ContainerKind::datadir, "1", hash) + '/' + hash +
                                 ".db";
        node.disk.write(path, "no database");
        const Reply reply =
            node.server.handle({"sda", "1", hash, message::encode(node.remote(3)), true});
        asked_again += reply.status == 404 ? 1 : 0;
        BOOST_TEST((reply.status == 404) == !node.disk.stat(path).has_value());
        BOOST_TEST((reply.status == 404 || reply.status == 500));
    };
    for (int n = 0; n < 50; ++n) {
        request(n);
    }
    BOOST_TEST(asked_again == 20);
    BOOST_TEST(node.heard.notes->failed.size() == 30U); // each named
    node.clock.advance(Seconds(3600));
    request(50);
    BOOST_TEST(asked_again == 21);
}

BOOST_AUTO_TEST_CASE(a_database_that_turns_out_well_takes_no_turn_of_the_broken_ones) {
    Containers node;
    node.create();
    const auto good = *node.disk.content(node.path);
    const std::string question = message::encode(node.remote(3));
    int opened = 0;
    node.disk.on_call([&](SimCall call, const std::string& path) {
        if (call == SimCall::vfs_open && path == node.path) {
            if (opened++ % 4 < 2) { // by pages, and then by a connection
                node.store.damage(node.path, Error::corrupt);
            } else { // the second look
                node.disk.write(node.path, good);
            }
        }
    });
    for (int i = 0; i < 2 * HourlyBrake::quarantine_max; ++i) {
        BOOST_TEST(node.ask(question).status == 503);
    }
    BOOST_TEST(opened == 8 * HourlyBrake::quarantine_max);
    node.disk.on_call(nullptr);
    node.store.damage(node.path, Error::corrupt);
    BOOST_TEST(node.ask(question).status == 404);
    BOOST_TEST(node.heard.notes->quarantined.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_lock_that_does_not_come_free_is_a_refusal_to_come_again) {
    Containers node;
    node.create();
    auto other = node.open();
    const auto lock = other.exclusive(node.soon());
    BOOST_TEST(node.ask(message::encode(node.remote(3))).status == 503);
    BOOST_TEST(node.ask(rows_body(node, {"a"}, 1)).status == 503);
}

// ---- Rows.

BOOST_AUTO_TEST_CASE(rows_are_merged_with_the_point_of_their_sender) {
    Containers node;
    node.create();
    BOOST_TEST(node.ask(rows_body(node, {"a", "b"}, 6)).status == 202);
    BOOST_TEST((node.names() == Names{"a", "b"}));
    BOOST_TEST(node.open().sync_point("peer-sdb", Direction::incoming) == 7);
    BOOST_TEST(node.ask(rows_body(node, {"c"}, 3, "")).status == 202); // nobody's
    BOOST_TEST(node.open().sync_points(Direction::incoming).size() == 1U);
    BOOST_TEST(node.ask("[\"merge_items\", []]").status == 202);
}

BOOST_AUTO_TEST_CASE(a_poison_row_is_reported_and_does_not_hold_up_those_behind_it) {
    Containers node;
    node.create();
    const std::string body = R"(["merge_items", [
        {"ROWID": 1, "name": "a", "created_at": "1.0", "size": 1, "content_type": "t",
         "etag": "e", "deleted": 0},
        {"ROWID": 2, "name": null, "created_at": "1.0", "size": 1, "content_type": "t",
         "etag": "e", "deleted": 0}], "peer-sdb"])";
    BOOST_TEST(node.ask(body).status == 202);
    BOOST_TEST((node.names() == Names{"a"}));
    BOOST_TEST(node.open().sync_point("peer-sdb", Direction::incoming) == 2);
    BOOST_TEST(node.heard.notes->set_aside.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_batch_that_was_not_acknowledged_moves_no_point) {
    const auto make = [] {
        auto node = std::make_unique<Containers>();
        node->create();
        return node;
    };
    const auto act = [](Containers& node) {
        if (node.ask(rows_body(node, {"a", "b"}, 1)).status != 202) {
            throw Failure(Error::io, "refused");
        }
    };
    const auto check = [](Containers& node, bool done) {
        const bool rows = node.names() == Names{"a", "b"};
        BOOST_TEST((rows || node.names() == Names{}));
        BOOST_TEST((!done || rows));
        auto database = node.open();
        BOOST_TEST((database.sync_point("peer-sdb", Direction::incoming) == 2) == rows);
    };
    BOOST_TEST(with_each_call_failing(make, act, check) > 5);
    BOOST_TEST(with_a_crash_before_each_call(make, act, check) > 5);
}

BOOST_AUTO_TEST_CASE(points_are_taken_over_and_never_fall) {
    Containers node;
    node.create();
    BOOST_TEST(node.ask(message::encode(message::MergeSyncs{{{5, "x"}, {-1, "y"}}})).status == 202);
    BOOST_TEST(node.ask(message::encode(message::MergeSyncs{{{3, "x"}}})).status == 202);
    BOOST_TEST(node.open().sync_point("x", Direction::incoming) == 5);
    BOOST_TEST(node.open().sync_points(Direction::outgoing).empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_point_that_is_none_is_refused_and_touches_nothing, Kind, Kinds) {
    Receiver<Kind> node;
    node.create();
    node.put("one");
    const auto before = node.written();
    const auto files = node.disk.dump();
    for (const char* body :
         {R"(["merge_syncs", [{"sync_point": -7, "remote_id": "x"}]])",
          R"(["merge_syncs", [{"sync_point": 4, "remote_id": "y"},
                              {"sync_point": -2, "remote_id": "x"}]])",
          R"(["merge_syncs", [{"sync_point": -9223372036854775808, "remote_id": "x"}]])",
          R"(["merge_syncs", [{"sync_point": 7, "remote_id": ""}]])",
          R"(["merge_syncs", [{"sync_point": 7, "remote_id": "../x"}]])",
          R"(["merge_syncs", [{"sync_point": -1, "remote_id": "a\u0000b"}]])",
          R"(["merge_items", [{"ROWID": -7, "name": null}], "x"])",
          R"(["merge_items", [], "../x"])", R"(["merge_items", [], "a\nb"])"}) {
        const Reply reply = node.ask(body);
        BOOST_TEST(reply.status == 400, body << " was answered " << reply.status);
    }
    BOOST_TEST((node.written() == before));
    BOOST_TEST((node.disk.dump() == files));
}

BOOST_AUTO_TEST_CASE(the_point_of_an_empty_database_says_nothing_and_writes_nothing) {
    Containers node;
    node.create();
    BOOST_TEST(node.ask(message::encode(message::MergeSyncs{{{5, "x"}}})).status == 202);
    const auto before = node.written();
    for (const auto& points :
         {std::vector<SyncPoint>{{-1, "y"}}, std::vector<SyncPoint>{{-1, "x"}, {-1, "y"}}}) {
        BOOST_TEST(node.ask(message::encode(message::MergeSyncs{points})).status == 202);
    }
    BOOST_TEST((node.written() == before));
    BOOST_TEST(node.ask(message::encode(message::MergeSyncs{{{-1, "y"}, {6, "x"}}})).status == 202);
    BOOST_TEST((node.open().sync_points(Direction::incoming) == std::vector<SyncPoint>{{6, "x"}}));
}

BOOST_AUTO_TEST_CASE(a_point_in_an_answer_never_speaks_of_a_row_that_is_not_here) {
    // The sender has "one" (row 1) and "two" (row 2); "two" comes in during a sync that was sent
    // before, when the sender had row 1 only.
    const auto make = [] {
        auto node = std::make_unique<Containers>();
        node->create();
        (void)node->ask(rows_body(*node, {"one"}, 1));
        return node;
    };
    const auto act = [](Containers& node) {
        auto remote = node.remote(1, node.open().info().hash);
        (void)node.ask(message::encode(remote));
    };
    const auto write = [](Containers& node) {
        return node.ask(rows_body(node, {"two"}, 2)).status == 202;
    };
    const auto check = [](Containers& node, bool acknowledged) {
        const bool two = node.names()->contains("two");
        BOOST_TEST(two == acknowledged);
        BOOST_TEST(node.open().sync_point("peer-sdb", Direction::incoming) == (two ? 2 : 1));
    };
    BOOST_TEST(with_a_write_before_each_call(make, act, write, check) > 5);
}

// ---- Whole files.

BOOST_AUTO_TEST_CASE(an_upload_is_put_in_place_or_merged) {
    for (const std::string verb : {"complete_rsync", "rsync_then_merge"}) {
        Containers node;
        if (verb == "rsync_then_merge") {
            node.create();
            node.put("ours");
        }
        const std::string upload = node.device + "/tmp/peer-sdb";
        node.create(upload);
        node.put("theirs", upload);
        const Reply reply = node.ask("[\"" + verb + "\", \"peer-sdb\", \"" + node.hash + ".db\"]");
        BOOST_TEST(reply.status == 204, reply.body);
        BOOST_TEST(reply.body.empty());
        BOOST_TEST(node.names()->contains("theirs"));
        BOOST_TEST(node.heard.notes->served.back() == verb + " 204");
    }
}

BOOST_AUTO_TEST_CASE(an_unrelated_file_is_never_moved_into_place) {
    Containers node;
    const std::string other = node.device + "/containers/5/abc/other.db";
    node.create(other);
    for (const std::string& name : {other, std::string("../containers/5/abc/other.db")}) {
        BOOST_TEST(node.ask("[\"complete_rsync\", \"" + name + "\"]").status == 400);
    }
    BOOST_TEST(node.disk.stat(other).has_value());
    BOOST_TEST(!node.disk.stat(node.path));
}

BOOST_AUTO_TEST_CASE(a_foreign_or_torn_upload_is_an_error_with_a_reason) {
    Containers node;
    node.disk.write(node.device + "/tmp/peer-sdb", "torn");
    const Reply reply = node.ask("[\"complete_rsync\", \"peer-sdb\"]");
    BOOST_TEST(reply.status == 500);
    BOOST_TEST(reply.body.find("peer-sdb") != std::string::npos);
    BOOST_TEST(node.heard.notes->failed.size() == 1U);
    BOOST_TEST(!node.disk.stat(node.path));
}

BOOST_AUTO_TEST_CASE(names_of_uploads_at_work_do_not_repeat_after_a_restart) {
    Containers node;
    node.settings.seed = 0; // drawn
    std::set<std::string> claimed;
    node.disk.on_call([&](SimCall call, const std::string& path) {
        if (call == SimCall::read && path.ends_with(".claimed")) {
            claimed.insert(path);
        }
    });
    for (int start = 0; start < 3; ++start) {
        RpcServer server(node.settings, node.broker);
        node.disk.write(node.device + "/tmp/peer-sdb", "torn");
        BOOST_TEST(server.handle(node.request("[\"complete_rsync\", \"peer-sdb\"]")).status == 500);
    }
    node.disk.on_call(nullptr);
    BOOST_TEST(claimed.size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_file_with_a_wrong_hash_is_put_in_place_once_and_the_sender_sends_rows) {
    Containers node;
    const std::string upload = node.device + "/tmp/peer-sdb";
    node.create(upload);
    node.put("theirs", upload);
    node.store.damage(upload, Error{});
    // Its sender keeps its copy, and comes again.
    BOOST_TEST(node.ask("[\"complete_rsync\", \"peer-sdb\"]").status == 503);
    BOOST_TEST((node.names() == Names{"theirs"}));
    BOOST_TEST(node.heard.notes->set_aside.size() == 1U);
    BOOST_TEST(node.heard.notes->failed.empty());
    const auto reply = node.sync(node.remote(1));
    BOOST_TEST(reply.point == -1);
    BOOST_TEST(node.store.is_sound(node.path));
    BOOST_TEST(reply.info.hash == node.store.info(node.path).hash);
}

BOOST_AUTO_TEST_CASE(a_second_merge_of_a_database_has_to_come_again) {
    Containers node;
    node.create();
    node.put("ours");
    const std::string upload = node.device + "/tmp/peer-sdb";
    node.create(upload);
    node.put("theirs", upload);
    const std::string body = "[\"rsync_then_merge\", \"peer-sdb\"]";
    std::set<int> seconds;
    bool inside = false;
    node.disk.on_call([&](SimCall call, const std::string&) {
        if (!inside && call == SimCall::rename) {
            inside = true;
            seconds.insert(node.ask(body).status);
            inside = false;
        }
    });
    BOOST_TEST(node.ask(body).status == 204);
    node.disk.on_call(nullptr);
    BOOST_TEST((seconds == std::set<int>{503}));
    BOOST_TEST((node.names() == Names{"ours", "theirs"}));
    BOOST_TEST(node.ask(body).status == 404); // the merge is over, and its upload gone
}

BOOST_AUTO_TEST_CASE(a_full_disk_in_the_middle_is_507_and_loses_nothing) {
    const auto make = [] {
        auto node = std::make_unique<Containers>();
        node->create();
        node->put("ours");
        const std::string upload = node->device + "/tmp/peer-sdb";
        node->create(upload);
        node->put("theirs", upload);
        return node;
    };
    std::set<int> statuses;
    const auto act = [&](Containers& node) {
        statuses.insert(node.ask("[\"rsync_then_merge\", \"peer-sdb\"]").status);
    };
    const auto check = [](Containers& node, bool) { BOOST_TEST(node.names()->contains("ours")); };
    BOOST_TEST(with_each_call_failing(make, act, check, {Error::no_space}) > 20);
    // Who cannot look at a file takes it for replaced, and asks to come again.
    BOOST_TEST((statuses == std::set<int>{204, 503, 507}));
}

BOOST_AUTO_TEST_CASE(every_request_is_told_to_the_observer_once) {
    Containers node;
    node.create();
    (void)node.ask("[\"merge_syncs\", []]");
    (void)node.ask("nonsense");
    (void)node.ask("[\"nonsense\"]");
    BOOST_TEST(node.heard.notes->served ==
                   (std::vector<std::string>{"merge_syncs 202", " 400", "nonsense 400"}),
               boost::test_tools::per_element());
}

// ---- Shard ranges.

BOOST_AUTO_TEST_CASE(shard_ranges_are_merged_and_told) {
    Containers node;
    node.create();
    BOOST_TEST(node.ask("[\"get_shard_ranges\"]").body == "[]");
    const auto ranges = sharding_ranges(node.info());
    BOOST_TEST(node.ask(message::encode_shard_ranges(ranges, "peer")).status == 202);
    const Reply reply = node.ask("[\"get_shard_ranges\"]");
    BOOST_TEST(reply.status == 200);
    BOOST_TEST(reply.content_type == "application/json");
    BOOST_TEST((shards::decode(json::parse(reply.body)).size() == ranges.size()));
    const auto before = node.written();
    BOOST_TEST(node.ask(message::encode_shard_ranges(ranges, "peer")).status == 202);
    BOOST_TEST((node.written() == before)); // no news
}

BOOST_AUTO_TEST_CASE(an_account_has_no_shard_ranges) {
    Receiver<AccountKind> node;
    node.create();
    BOOST_TEST(node.ask("[\"get_shard_ranges\"]").status == 400);
    BOOST_TEST(node.ask("[\"merge_shard_ranges\", []]").status == 400);
}

// ---- Whole files.

namespace {

std::string put_body(const std::string& name, const std::string& file, std::int64_t offset = 0,
                     std::size_t count = message::PutFile::most_bytes,
                     const std::string& becomes = {}) {
    return message::encode({name, offset, std::ssize(file), sha256(file), becomes},
                           file.substr(static_cast<std::size_t>(offset), count));
}

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(a_file_that_came_in_pieces_is_put_in_place, Kind, Kinds) {
    Receiver<Kind> node;
    node.create();
    node.put("one");
    const std::string file = node.disk.content(node.path)->bytes;
    Receiver<Kind> other;
    for (std::int64_t have = 0; have < std::ssize(file);) {
        const Reply reply = other.ask(put_body("peer-sda", file, have, 5000));
        BOOST_REQUIRE_MESSAGE(reply.status == 202, reply.body);
        BOOST_TEST(std::stoll(reply.body) == std::min<std::int64_t>(have + 5000, std::ssize(file)));
        have = std::stoll(reply.body);
    }
    BOOST_TEST(other.entries(other.device + "/tmp") == Names{"peer-sda"});
    BOOST_TEST(!other.disk.stat(other.directory));
    BOOST_TEST(other.ask("[\"complete_rsync\", \"peer-sda\"]").status == 204);
    BOOST_TEST((other.names() == Names{"one"}));
    BOOST_TEST(other.entries(other.device + "/tmp").empty());
    BOOST_TEST(other.heard.notes->failed.empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_file_is_put_in_place_by_the_request_that_brings_its_end, Kind,
                              Kinds) {
    Receiver<Kind> node;
    node.create();
    node.put("one");
    const std::string file = node.disk.content(node.path)->bytes;
    for (const std::size_t piece : {std::size_t{5000}, file.size()}) {
        Receiver<Kind> other;
        int status = 202;
        for (std::size_t have = 0; have < file.size(); have += piece) {
            BOOST_TEST(status == 202);
            BOOST_TEST(!other.disk.stat(other.directory));
            status = other
                         .ask(put_body("peer-sda", file, static_cast<std::int64_t>(have), piece,
                                       other.hash + ".db"))
                         .status;
        }
        BOOST_TEST(status == 204);
        BOOST_TEST((other.names() == Names{"one"}));
        BOOST_TEST(other.entries(other.device + "/tmp").empty());
        BOOST_TEST(other.open().info().id != node.open().info().id);
        BOOST_TEST(other.open().sync_point("peer-sda", Direction::incoming) == 1);
    }
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_put_in_place_is_checked_as_ever_and_tried_once) {
    Containers node;
    const std::string elsewhere = node.device + "/elsewhere/x.db";
    node.create(elsewhere);
    node.put("theirs", elsewhere);
    node.store.damage(elsewhere, Error{});
    const std::string file = node.disk.content(elsewhere)->bytes;
    const auto put = [&](const std::string& bytes, const std::string& becomes) {
        return node.ask(put_body("id", bytes, 0, bytes.size(), becomes)).status;
    };
    BOOST_TEST(put("no database", node.hash + ".db") == 500);
    BOOST_TEST(put(file, std::string(32, 'c') + ".db") == 400);
    BOOST_TEST(!node.disk.stat(node.directory));
    BOOST_TEST(put(file, node.hash + ".db") == 503); // its hash is wrong: rows may be missing
    BOOST_TEST((node.names() == Names{"theirs"}));
    BOOST_TEST(node.heard.notes->set_aside.size() == 1U);
    BOOST_TEST(node.entries(node.device + "/tmp").empty());
}

BOOST_AUTO_TEST_CASE(a_file_that_comes_during_a_merge_waits_in_tmp) {
    Containers node;
    node.create();
    node.put("ours");
    const std::string upload = node.device + "/tmp/peer-sdb";
    node.create(upload);
    node.put("theirs", upload);
    const std::string file = node.disk.content(upload)->bytes;
    int second = 0;
    node.disk.on_call([&](SimCall call, const std::string&) {
        if (second == 0 && call == SimCall::rename) {
            second = 1;
            second = node.ask(put_body("other", file, 0, file.size(), node.hash + ".db")).status;
        }
    });
    BOOST_TEST(node.ask("[\"rsync_then_merge\", \"peer-sdb\"]").status == 204);
    node.disk.on_call(nullptr);
    BOOST_TEST(second == 503);
    BOOST_TEST(node.entries(node.device + "/tmp") == Names{"other"});
    BOOST_TEST(node.ask("[\"complete_rsync\", \"other\"]").status == 204);
    BOOST_TEST((node.names() == Names{"ours", "theirs"}));
}

BOOST_AUTO_TEST_CASE(a_file_may_come_before_tmp_was_made_and_beside_a_database) {
    Containers node;
    node.create();
    node.put("one");
    const auto before = node.written();
    node.disk.remove_tree(node.device + "/tmp");
    BOOST_TEST(node.ask(put_body("id", "no database")).status == 202);
    BOOST_TEST(node.disk.content(node.device + "/tmp/id")->bytes == "no database");
    BOOST_TEST(node.ask("[\"complete_rsync\", \"id\"]").status == 500); // it is checked as ever
    BOOST_TEST((node.written() == before));
    BOOST_TEST(node.entries(node.device + "/tmp").empty());
}

BOOST_AUTO_TEST_CASE(bytes_that_look_like_values_are_not_counted) {
    Containers node;
    const std::string commas(message::PutFile::most_bytes, ',');
    BOOST_TEST(node.ask(put_body("id", commas)).status == 202);
    BOOST_TEST(node.ask(put_body("id", commas + ",", 0, commas.size() + 1)).status == 413);
}

BOOST_AUTO_TEST_CASE(a_file_that_differs_from_its_digest_is_refused_and_told) {
    Containers node;
    std::string body = put_body("id", "content");
    body.back() = 'x';
    const Reply reply = node.ask(body);
    BOOST_TEST(reply.status == 500);
    BOOST_TEST(reply.body.find("tmp/id: what has come is not what was sent") != std::string::npos);
    BOOST_TEST(node.heard.notes->failed.size() == 1U);
    BOOST_TEST(node.entries(node.device + "/tmp").empty());
}

BOOST_AUTO_TEST_CASE(a_file_that_would_use_the_reserve_is_refused_before_its_first_byte) {
    Settings settings;
    settings.fallocate_reserve = {1000, false};
    Containers node(settings);
    node.disk.mount(node.device, 10'000);
    const std::string file(9'001, 'x');
    const Reply full = node.ask(put_body("id", file, 0, 100));
    BOOST_TEST(full.status == 507);
    BOOST_TEST(full.reason == "sda is full");
    BOOST_TEST(node.entries(node.device + "/tmp").empty());
    BOOST_TEST(node.ask(put_body("id", std::string(9'000, 'x'))).status == 202);
    node.disk.unmount(node.device);
    BOOST_TEST(node.ask(put_body("id", "x")).reason == "sda is not mounted");
}
