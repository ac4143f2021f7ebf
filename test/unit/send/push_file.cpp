#include <replica/send/push_file.hpp>

#define BOOST_TEST_MODULE push_file
#include <replica/beast/server.hpp>
#include <replica/beast/transport.hpp>
#include <replica/decorators.hpp>
#include <replica/rpc.hpp>
#include <replica/sim/transport.hpp>

#include <boost/test/unit_test.hpp>

#include <laws/file_sync.hpp>
#include <support/one_node.hpp>

#include <algorithm>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::test;
using namespace std::chrono_literals;

namespace {

/// Bytes in memory, or nothing.
struct MemorySource {
    struct Image {
        std::string bytes;
        [[nodiscard]] std::int64_t size() const { return std::ssize(bytes); }
        [[nodiscard]] std::string read(std::int64_t offset, std::size_t count) const {
            return bytes.substr(static_cast<std::size_t>(offset), count);
        }
    };

    std::optional<std::string> content;

    [[nodiscard]] std::string path() const { return {}; }
    void copy_to(const std::string& /*path*/, Instant /*deadline*/) const {}
    [[nodiscard]] Image snapshot(Instant /*deadline*/) const {
        if (!content) {
            throw Failure(Error::missing, "no such database");
        }
        return {*content};
    }
};

static_assert(SnapshotSource<MemorySource> && !SnapshotSource<AnySource>);
static_assert(SelectiveFileSync<PushFileSync<SimTransport, SimClock>>);
static_assert(SelectiveFileSync<PushFileSync<BeastTransport>>);

/// A node that receives, on a simulated network.
struct World : OneNode<ContainerKind> {
    World() {
        serve([this](const Request& request) { return server.handle(request); });
        network.serves_ours("10.0.0.2", 6201);
    }

    void serve(SimNetwork::Handler handler) const {
        network.serve("10.0.0.2", 6201, std::move(handler));
    }

    [[nodiscard]] static Settings settings() {
        Settings settings;
        settings.devices = root;
        settings.seed = 1;
        return settings;
    }

    [[nodiscard]] static Device named(const std::string& name) {
        Device device;
        device.replication_ip = "10.0.0.2";
        device.replication_port = 6201;
        device.device = name;
        return device;
    }
    [[nodiscard]] static Device device() { return named("sda"); }
    [[nodiscard]] static Device out_of_reach() { return named("sdz9"); }
    [[nodiscard]] Instant now() const { return clock.monotonic(); }
    [[nodiscard]] static MemorySource source(const std::string& content) { return {content}; }
    [[nodiscard]] static MemorySource missing() { return {}; }
    [[nodiscard]] std::vector<std::string> names() const {
        const auto found = entries(tmp());
        return {found.begin(), found.end()};
    }
    [[nodiscard]] std::string content(const std::string& name) const {
        return disk.content(tmp() + '/' + name)->bytes;
    }
    [[nodiscard]] static std::string tmp() { return std::string(root) + "/sda/tmp"; }

    [[nodiscard]] static Upload upload() { return {device(), "id", false, true}; }

    /// Three pieces.
    [[nodiscard]] static std::string large() {
        std::string bytes(5 << 19, 'x');
        bytes[7] = '\0';
        return bytes;
    }

    Result<Sent> send(MemorySource source, Seconds patience = Seconds(60)) {
        return files.send(source, upload(), now() + to_duration(patience), {});
    }
    [[nodiscard]] bool takes(const Upload& to = upload()) {
        return files.takes(MemorySource{}, to, now() + 10s, {});
    }

    /// How each request was answered.
    [[nodiscard]] std::vector<int> statuses() const {
        std::vector<int> result;
        for (const SimExchange& exchange : network.log()) {
            BOOST_TEST(exchange.verb == "put_file");
            result.push_back(exchange.status);
        }
        return result;
    }

    SimNetwork network;
    SimTransport transport{network, clock, "10.0.0.1"};
    RpcServer<Broker> server{settings(), broker};
    PushFileSync<SimTransport, SimClock> files{transport, settings(), clock};
};

/// Bytes whose digest is known, and maybe wrong.
struct KnownSource {
    struct Image : MemorySource::Image {
        std::string digest_of_bytes;
        template <class Compute>
        [[nodiscard]] std::string digest(Compute /*compute*/) const {
            return digest_of_bytes;
        }
    };

    Image image;

    [[nodiscard]] std::string path() const { return {}; }
    void copy_to(const std::string& /*path*/, Instant /*deadline*/) const {}
    [[nodiscard]] Image snapshot(Instant /*deadline*/) const { return image; }
};

static_assert(DigestedSnapshot<KnownSource::Image> && !DigestedSnapshot<MemorySource::Image>);

KnownSource known(const std::string& bytes, const std::string& digest) {
    return {{{bytes}, digest}};
}

const SimLink put_file{"", "", "put_file"};
const Reply busy{503, "text/plain", "sda is busy", ""};
using Statuses = std::vector<int>;

} // namespace

BOOST_AUTO_TEST_CASE(a_push_obeys_the_laws) {
    World world;
    check_file_sync_laws(world.files, world);
}

BOOST_AUTO_TEST_CASE(a_digest_that_is_known_is_not_made_again) {
    World world;
    const auto send = [&](KnownSource source) {
        return world.files.send(source, World::upload(), world.now() + 60s, {});
    };
    BOOST_TEST(send(known("content", sha256("content"))).has_value());
    BOOST_TEST(world.content("id") == "content");
    const auto wrong = send(known("other", sha256("content")));
    BOOST_TEST((wrong.error().code == Error::transfer_failed));
    BOOST_TEST(world.content("id") == "content");
}

BOOST_AUTO_TEST_CASE(what_is_sent_is_a_snapshot_and_names_its_database) {
    World world;
    std::vector<Request> requests;
    world.network.before(
        [&](const SimExchange&, const Request& request) { requests.push_back(request); });
    Upload upload = World::upload();
    upload.partition = 7;
    upload.hash = world.hash;
    MemorySource source{World::large()};
    const auto sent = world.files.send(source, upload, world.now() + 60s, {});
    BOOST_TEST(sent->snapshot);
    BOOST_TEST(sent->bytes == 5 << 19);
    BOOST_TEST((world.content("id") == World::large()));
    BOOST_TEST(requests.size() == 3U);
    for (const Request& request : requests) {
        BOOST_TEST(request.device == "sda");
        BOOST_TEST(request.partition == "7");
        BOOST_TEST(request.hash == world.hash);
        BOOST_TEST(request.only_ours);
        BOOST_TEST(request.repeatable);
    }
}

BOOST_AUTO_TEST_CASE(a_stock_server_gets_no_such_request) {
    World world;
    Device stock = World::device();
    stock.replication_port = 6299;
    world.network.serve("10.0.0.2", 6299, [](const Request&) { return Reply{500, "", "", ""}; });
    const Upload upload{stock, "id", false, true};
    BOOST_TEST(!world.takes(upload));
    BOOST_TEST(world.takes());
    MemorySource source{"content"};
    const auto sent = world.files.send(source, upload, world.now() + 1s, {}); // without a question
    BOOST_TEST((sent.error().code == Error::transfer_failed));
    BOOST_TEST(world.network.log().empty());
}

BOOST_AUTO_TEST_CASE(a_source_without_a_snapshot_and_an_operator_who_wants_rsync_are_not_for_it) {
    World world;
    AnySource any;
    BOOST_TEST(!world.files.takes(any, World::upload(), world.now() + 1s, {}));
    const auto sent = world.files.send(any, World::upload(), world.now() + 1s, {});
    BOOST_TEST((sent.error().code == Error::transfer_failed));
    Settings settings = World::settings();
    settings.push_files = false;
    PushFileSync off(world.transport, settings, world.clock);
    BOOST_TEST(!off.takes(MemorySource{}, World::upload(), world.now() + 1s, {}));
}

BOOST_AUTO_TEST_CASE(an_older_server_is_left_to_others_for_a_while) {
    World world;
    world.serve([](const Request&) { return Reply{400, "text/plain", "not JSON", ""}; });
    BOOST_TEST(world.takes());
    BOOST_TEST((world.send({"content"}).error().code == Error::transfer_failed));
    BOOST_TEST(!world.takes());
    Device neighbour = World::named("sdb"); // the same server
    BOOST_TEST(!world.takes({neighbour, "id", false, true}));
    const auto copy = world.files; // copies share what was learnt
    auto other = copy;
    BOOST_TEST(!other.takes(MemorySource{}, World::upload(), world.now() + 1s, {}));
    world.clock.advance(Seconds(601)); // it may have been brought up to date
    BOOST_TEST(world.takes());
}

BOOST_AUTO_TEST_CASE(a_full_device_and_a_busy_one_are_still_ours) {
    World world;
    world.network.answer(put_file, {507, "text/html", "", "sda is full"});
    const auto full = world.send({"content"});
    BOOST_TEST((full.error().code == Error::no_space));
    BOOST_TEST(full.error().what.find("10.0.0.2:6201/sda/tmp/id: answered 507 sda is full") !=
               std::string::npos);
    world.network.answer(put_file, busy, 0);
    BOOST_TEST((world.send({"content"}).error().code == Error::transfer_failed));
    BOOST_TEST(world.takes());
    BOOST_TEST(world.statuses().size() == 7U);
    BOOST_TEST((world.send({"content"}, Seconds(2.5)).error().code == Error::timed_out));
}

BOOST_AUTO_TEST_CASE(a_device_that_is_busy_now_and_then_costs_moments_and_not_the_transfer) {
    World world;
    bool first = true;
    world.network.before([&](const SimExchange&, const Request&) {
        if (std::exchange(first, false)) {
            world.network.answer(put_file, busy, 4);
        }
    });
    const Instant began = world.now();
    BOOST_TEST(world.send({World::large()}).has_value());
    BOOST_TEST((world.content("id") == World::large()));
    BOOST_TEST(world.statuses().size() == 7U);
    BOOST_TEST((world.now() - began >= 4s));
}

BOOST_AUTO_TEST_CASE(after_a_lost_answer_it_goes_on_where_the_receiver_is) {
    for (const SimFault fault : {SimFault::lose_reply, SimFault::duplicate}) {
        for (int at = 0; at < 3; ++at) {
            World world;
            int seen = 0;
            world.network.before([&](const SimExchange&, const Request&) {
                if (seen++ == at - 1) {
                    world.network.fail(put_file, fault);
                }
            });
            if (at == 0) {
                world.network.fail(put_file, fault);
            }
            BOOST_TEST_CONTEXT("piece " << at) {
                BOOST_TEST(world.send({World::large()}).has_value());
                BOOST_TEST((world.content("id") == World::large()));
                BOOST_TEST(world.statuses().size() <= 7U); // the last one's: all over again
            }
        }
    }
}

BOOST_AUTO_TEST_CASE(a_transfer_that_broke_off_is_gone_on_with_by_the_next) {
    World world;
    int seen = 0;
    world.network.before([&](const SimExchange&, const Request&) {
        if (++seen == 1) {
            world.network.fail(put_file, SimFault::silent);
        }
    });
    const auto broken = world.send({World::large()}, Seconds(5));
    BOOST_TEST((broken.error().code == Error::timed_out));
    BOOST_TEST(world.names().size() == 1U);
    BOOST_TEST(world.names()[0].ends_with(".part"));
    world.network.clear_log();
    BOOST_TEST(world.send({World::large()}).has_value());
    BOOST_TEST(world.statuses() == (Statuses{202, 202, 202}), boost::test_tools::per_element());
    BOOST_TEST(world.names() == std::vector<std::string>{"id"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_receiver_that_does_not_get_on_is_given_up) {
    World world;
    for (const std::string answer : {"0", "", "x", "-1", "4 ", "999999999"}) {
        world.network.clear_log();
        world.network.answer(put_file, {202, "text/plain", answer, ""}, 0);
        BOOST_TEST((world.send({World::large()}).error().code == Error::transfer_failed));
        BOOST_TEST(world.statuses().size() == (answer == "0" ? 4U : 1U), answer);
        world.network.heal();
    }
    world.network.fail(put_file, SimFault::lose_reply, 0);
    BOOST_TEST((world.send({World::large()}).error().code == Error::transfer_failed));
}

BOOST_AUTO_TEST_CASE(
    a_silent_receiver_has_node_timeout_for_each_piece_and_not_all_of_the_deadline) {
    World world;
    world.network.fail(put_file, SimFault::silent);
    const Instant began = world.now();
    BOOST_TEST((world.send({World::large()}, Seconds(3600)).error().code == Error::timed_out));
    BOOST_TEST((world.now() - began == 11s));
    world.network.fail(put_file, SimFault::silent);
    const Instant again = world.now();
    BOOST_TEST((world.send({World::large()}, Seconds(2)).error().code == Error::timed_out));
    BOOST_TEST((world.now() - again == 2s));
}

BOOST_AUTO_TEST_CASE(a_stop_ends_it) {
    World world;
    std::stop_source stop;
    world.network.before([&](const SimExchange&, const Request&) { stop.request_stop(); });
    MemorySource source{World::large()};
    const auto sent =
        world.files.send(source, World::upload(), world.now() + 60s, stop.get_token());
    BOOST_TEST((sent.error().code == Error::stopped));
    BOOST_TEST(world.statuses().size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_file_of_one_piece_is_put_in_place_by_the_request_that_brings_it) {
    World world;
    std::vector<std::string> firsts;
    world.serve([&](const Request& request) {
        firsts.push_back(request.body.substr(0, request.body.find('\n')));
        const bool finish = firsts.back().ends_with(", \"x.db\"]");
        return finish ? Reply{204, "", "", ""} : world.server.handle(request);
    });
    Upload upload = World::upload();
    upload.file = "x.db";
    MemorySource small{"content"};
    const auto sent = world.files.send(small, upload, world.now() + 60s, {});
    BOOST_REQUIRE(sent);
    BOOST_TEST(sent->finished);
    BOOST_TEST(sent->snapshot);
    BOOST_TEST(sent->bytes == 7);
    BOOST_TEST(firsts.size() == 1U);
    BOOST_TEST(!world.send({"content"})->finished); // who does not allow it
    MemorySource large{World::large()};
    BOOST_TEST(!world.files.send(large, upload, world.now() + 60s, {})->finished);
    BOOST_TEST(firsts.size() == 5U);
    BOOST_TEST((world.content("id") == World::large()));
}

BOOST_AUTO_TEST_CASE(a_server_that_cannot_finish_with_the_file_gets_the_file_alone_for_a_while) {
    World world;
    int refused = 0;
    world.serve([&](const Request& request) {
        const bool finish = request.body.find(", \"x.db\"]\n") != std::string::npos;
        refused += finish ? 1 : 0;
        return finish ? Reply{400, "text/plain", "put_file takes 4 arguments, not 5", ""}
                      : world.server.handle(request);
    });
    Upload upload = World::upload();
    upload.file = "x.db";
    for (const int wanted : {1, 1, 2}) {
        MemorySource source{"content"};
        const auto sent = world.files.send(source, upload, world.now() + 60s, {});
        BOOST_REQUIRE(sent);
        BOOST_TEST(!sent->finished);
        BOOST_TEST(world.content("id") == "content");
        BOOST_TEST(refused == wanted);
        BOOST_TEST(world.takes(upload));
        world.clock.advance(Seconds(301));
    }
}

BOOST_AUTO_TEST_CASE(whether_a_file_is_in_place_after_all_the_next_pass_asks) {
    World world;
    Upload upload = World::upload();
    upload.file = "x.db";
    const auto send = [&] {
        MemorySource source{"content"};
        return world.files.send(source, upload, world.now() + 60s, {});
    };
    world.network.fail(put_file, SimFault::lose_reply);
    BOOST_TEST((send().error().code == Error::transfer_failed));
    world.network.answer(put_file, busy);
    BOOST_TEST((send().error().code == Error::transfer_failed));
    world.network.answer(put_file, {404, "text/html", "", ""}); // another sender of it was faster
    BOOST_TEST((send().error().code == Error::transfer_failed));
    BOOST_TEST(world.network.log().size() == 3U);
    BOOST_TEST(world.takes(upload));
}

BOOST_AUTO_TEST_CASE(what_the_snapshot_throws_becomes_the_fault) {
    World world;
    const auto sent = world.send({});
    BOOST_TEST((sent.error().code == Error::missing));
    BOOST_TEST(sent.error().what.find("sda/tmp/id: no such database") != std::string::npos);
    BOOST_TEST(world.network.log().empty());
    struct Odd : MemorySource {
        [[nodiscard]] Image snapshot(Instant /*deadline*/) const {
            throw std::runtime_error("something else");
        }
    } odd;
    BOOST_TEST(
        (world.files.send(odd, World::upload(), world.now() + 1s, {}).error().code == Error::io));
}

BOOST_AUTO_TEST_CASE(decorated_transports_still_tell_whose_server_it_is) {
    World world;
    PushFileSync files(Faulty(world.transport, Failing{.at = 1}), World::settings(), world.clock);
    BOOST_TEST(files.takes(MemorySource{}, World::upload(), world.now() + 1s, {}));
    MemorySource source{"content"};
    BOOST_TEST(files.send(source, World::upload(), world.now() + 9s, {}).has_value());
    BOOST_TEST(world.content("id") == "content"); // the second time
}

BOOST_AUTO_TEST_CASE(over_sockets_it_is_the_same) {
    World world;
    for (const bool beside : {false, true}) {
        ServerOptions options;
        options.ip = "127.0.0.1";
        const BeastServer stock(options, [](const Request&) -> Reply {
            BOOST_ERROR("a stock server was asked");
            return {500, "", "", ""};
        });
        if (!beside) { // a server names the ring's port, which is its own here
            options.port = BeastServer(options, [](const Request&) { return Reply{}; }).port();
        }
        options.name = http::server_name("container", beside ? stock.port() : options.port);
        const BeastServer ours(
            options, [&](const Request& request) { return world.server.handle(request); });
        BeastOptions sending;
        sending.replica_port = ours.port();
        sending.kind_type = "container";
        PushFileSync files(BeastTransport(sending), World::settings());
        Device device = World::device();
        device.replication_ip = "127.0.0.1";
        device.replication_port = beside ? stock.port() : ours.port();
        const Upload upload{device, beside ? "b" : "a", false, true};
        MemorySource source{World::large()};
        const Instant later = SystemClock().monotonic() + 60s;
        BOOST_TEST(files.takes(source, upload, later, {}));
        const auto sent = files.send(source, upload, later, {});
        BOOST_REQUIRE_MESSAGE(sent.has_value(), sent.error().what);
        BOOST_TEST((world.content(upload.name) == World::large()));
    }
}
