#include <replica/daemon/run.hpp>

#define BOOST_TEST_MODULE daemon_run
#include <replica/sqlite/container.hpp>

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <support/daemon.hpp>
#include <support/kept_lines.hpp>
#include <support/loopback.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <iostream>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

using namespace replica;
using namespace replica::daemon;
using namespace std::chrono_literals;

namespace fs = std::filesystem;

namespace {

/// One device of this machine in a ring of two; on the other's port nobody answers.
struct Node {
    Node() {
        fs::create_directories(directory.path("srv/sda"));
        fs::create_directory(directory.path("recon"));
        settings.devices = directory.path("srv");
        settings.recon_cache_path = directory.path("recon");
        settings.mount_check = false;
        settings.bind_ip = "127.0.0.1";
        settings.bind_port = here.port();
        settings.hash_path_suffix = "changeme";
        settings.seed = 1;
        logger->set_level(spdlog::level::trace);
        settings.ring =
            directory.file("ring.json", R"({"part_power": 2, "replicas": 2, "devices": [)" +
                                            device_text(0, here.port()) + ", " +
                                            device_text(1, there.port()) + "]}");
    }

    [[nodiscard]] static std::string device_text(int id, int port) {
        return R"({"id": )" + std::to_string(id) + R"(, "ip": "127.0.0.1", "device": "sda")" +
               R"(, "port": )" + std::to_string(port) + "}";
    }

    /// A container in the partition of its name; its path.
    std::string create() {
        ContainerInfo info;
        info.account = "a";
        info.container = "c";
        const std::string hash = HashPath{"", "changeme"}(info.name());
        const std::string partition = std::to_string(partition_of(hash, 2));
        std::string path = directory.path("srv/sda/") +
                           storage_directory("containers", partition, hash) + '/' + hash + ".db";
        auto broker = daemon::detail::make_broker<ContainerBroker>(settings);
        (void)broker.create(path, info, Instant::max());
        return path;
    }

    [[nodiscard]] AnyRing<> ring() const {
        return daemon::detail::make_ring(settings, "container", Log(logger), facts());
    }

    [[nodiscard]] Facts facts() const { return {"container", settings.devices, Timestamp{}}; }

    [[nodiscard]] int run() {
        Context context{arguments, settings, Log(logger), stop.get_token(), {}, {}};
        context.ready = [&] {
            renew = context.renew;
            ready();
        };
        return daemon::run<ContainerBroker>(context);
    }

    [[nodiscard]] bool logs(const std::string& text) const {
        return std::ranges::any_of(kept->lines, [&](const std::string& line) {
            return line.find(text) != std::string::npos;
        });
    }

    support::Directory directory;
    loopback::ClosedPort here;
    loopback::ClosedPort there;
    loopback::ClosedPort served; ///< Ours to listen on, if a test says so.
    DaemonSettings settings;
    Arguments arguments;
    std::shared_ptr<support::Kept> kept = std::make_shared<support::Kept>();
    std::shared_ptr<spdlog::logger> logger = std::make_shared<spdlog::logger>("t", kept);
    std::stop_source stop;
    int ups = 0;
    std::function<void()> ready = [this] { ++ups; };
    Renew renew; ///< What the body set before it was up.
};

/// What the server at a port answers to a GET; nothing if nobody listens there.
std::optional<std::string> get(int port, const std::string& page) {
    boost::asio::io_context io;
    loopback::Tcp::socket socket(io);
    boost::system::error_code code;
    socket.connect(loopback::endpoint(static_cast<std::uint16_t>(port)), code);
    if (code) {
        return std::nullopt;
    }
    BOOST_TEST(loopback::send(socket, "GET " + page + " HTTP/1.1\r\nHost: x\r\n\r\n"));
    return loopback::receive_message(socket);
}

/// Every file below a directory with the time of its last change.
std::map<std::string, fs::file_time_type> times_below(const std::string& root) {
    std::map<std::string, fs::file_time_type> times;
    for (const auto& each : fs::recursive_directory_iterator(root)) {
        times[each.path()] = each.last_write_time();
    }
    return times;
}

} // namespace

// ---- Its three ways.

BOOST_FIXTURE_TEST_CASE(one_pass_gives_0_whatever_its_peers_did_and_serves_nothing, Node) {
    (void)create();
    arguments.once = true;
    settings.replica_port = served.port();
    ready = [&] {
        ++ups;
        BOOST_TEST(!get(settings.replica_port, "/recon/version").has_value());
    };
    BOOST_TEST(run() == 0);
    BOOST_TEST(ups == 1);
    BOOST_TEST(logs("info: Attempted to replicate 1 dbs"));
    BOOST_TEST(logs(std::to_string(there.port()))); // it was asked
    BOOST_TEST(!logs("Serving REPLICATE"));
    BOOST_TEST(directory.text("recon/container.recon").find("replication_stats") !=
               std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(one_pass_keeps_to_the_devices_and_partitions_of_the_command_line, Node) {
    (void)create();
    arguments.once = true;
    arguments.devices = {"sdz"};
    BOOST_TEST(run() == 0);
    BOOST_TEST(!logs("Attempted to replicate 1 dbs"));
    arguments.devices = {"sda"};
    arguments.partitions = {0, 1, 2, 3};
    BOOST_TEST(run() == 0);
    BOOST_TEST(logs("Attempted to replicate 1 dbs"));
}

BOOST_FIXTURE_TEST_CASE(an_explanation_is_printed_and_changes_nothing, Node) {
    arguments.explain = create();
    const auto before = times_below(directory.path(""));
    std::ostringstream out;
    std::streambuf* const was = std::cout.rdbuf(out.rdbuf());
    const int code = run();
    std::cout.rdbuf(was);
    BOOST_TEST(code == 0);
    BOOST_TEST(ups == 0);
    BOOST_TEST(out.str().find(arguments.explain) != std::string::npos, out.str());
    BOOST_TEST((times_below(directory.path("")) == before));
    BOOST_TEST(kept->lines.empty());
}

BOOST_FIXTURE_TEST_CASE(it_serves_from_before_it_is_up_until_it_is_stopped, Node) {
    settings.replica_port = served.port();
    settings.interval = Seconds(1000);
    std::promise<void> up;
    ready = [&] { up.set_value(); };
    auto code = std::async(std::launch::async, [&] { return run(); });
    const bool came = up.get_future().wait_for(30s) == std::future_status::ready;
    const auto reply = get(settings.replica_port, "/recon/version");
    stop.request_stop();
    BOOST_TEST(code.get() == 0);
    BOOST_TEST(came);
    BOOST_REQUIRE(reply.has_value());
    BOOST_TEST(reply->starts_with("HTTP/1.1 200 OK\r\n"), *reply);
    const std::string server =
        http::server_name("container", static_cast<std::uint16_t>(settings.bind_port));
    BOOST_TEST(reply->find("Server: " + server + "\r\n") != std::string::npos, *reply);
    BOOST_TEST(
        logs("info: Serving REPLICATE on 127.0.0.1:" + std::to_string(settings.replica_port)));
    BOOST_TEST(!get(settings.replica_port, "/recon/version").has_value());
}

BOOST_FIXTURE_TEST_CASE(without_a_port_of_its_own_it_only_passes, Node) {
    (void)create();
    settings.interval = Seconds(0.01);
    ready = [&] {
        ++ups;
        stop.request_stop();
    };
    BOOST_TEST(run() == 0);
    BOOST_TEST(ups == 1);
    BOOST_TEST(!logs("Serving REPLICATE"));
}

// ---- Another configuration while it runs.

namespace {

/// A service that runs while the test lives.
struct Service : Node {
    /// Returns once it is up.
    void start() {
        ready = [this] { up.set_value(); };
        code = std::async(std::launch::async, [this] { return run(); });
        BOOST_REQUIRE((up.get_future().wait_for(30s) == std::future_status::ready));
    }

    /// Its log can be read after that.
    void end() {
        stop.request_stop();
        BOOST_TEST(code.get() == 0);
    }

    [[nodiscard]] bool has_passed() const {
        return fs::exists(directory.path("recon/container.recon"));
    }

    std::promise<void> up;
    std::future<int> code;
};

} // namespace

BOOST_FIXTURE_TEST_CASE(the_next_pass_goes_by_the_new_configuration, Service) {
    (void)create();
    settings.interval = Seconds(100'000);
    start();
    DaemonSettings changed = settings;
    changed.interval = Seconds(0.01);
    changed.recon_cache_path = directory.path("recon");
    BOOST_TEST(!has_passed());
    renew(changed, Log(logger));
    BOOST_TEST(loopback::eventually([&] { return has_passed(); }));
    end();
    BOOST_TEST(logs("notice: The new configuration counts from now on"));
    BOOST_TEST(logs("info: Attempted to replicate 1 dbs"));
}

BOOST_FIXTURE_TEST_CASE(a_configuration_without_a_usable_secret_is_refused_and_all_goes_on,
                        Service) {
    settings.replica_port = served.port();
    settings.interval = Seconds(100'000);
    start();
    DaemonSettings changed = settings;
    changed.interval = Seconds(0.01);
    changed.shared_secret_file = directory.path("none");
    BOOST_CHECK_EXCEPTION(renew(changed, Log(logger)), Failure, [&](const Failure& failure) {
        return std::string(failure.what()).starts_with(changed.shared_secret_file + ": ");
    });
    changed.shared_secret_file = {};
    changed.rsync_module = "{nothing}::container";
    BOOST_CHECK_THROW(renew(changed, Log(logger)), Failure);
    BOOST_TEST(get(settings.replica_port, "/healthcheck").value_or("none").ends_with("OK"));
    end();
    BOOST_TEST(!has_passed());
    BOOST_TEST(!logs("counts from now on"));
}

BOOST_FIXTURE_TEST_CASE(a_connection_outlives_a_new_configuration_and_goes_by_it, Service) {
    const std::string path = create();
    const std::string place = path.substr(directory.path("srv/sda/containers").size());
    const std::string partition = place.substr(1, place.find('/', 1) - 1);
    const std::string hash = HashPath{"", "changeme"}("/a/c");
    const std::string request =
        loopback::request_text(R"(["merge_syncs", [{"sync_point": 3, "remote_id": "x"}]])", {},
                               "/sda/" + partition + '/' + hash);
    settings.replica_port = served.port();
    settings.interval = Seconds(100'000);
    start();
    loopback::RawClient client(static_cast<std::uint16_t>(settings.replica_port));
    BOOST_TEST(client.exchange(request).starts_with("HTTP/1.1 202 "));
    DaemonSettings changed = settings;
    changed.shared_secret_file = directory.file("secret", "a secret of this cluster");
    fs::permissions(changed.shared_secret_file, fs::perms{0600});
    changed.require_secret = false;
    renew(changed, Log(logger));
    const auto doubted = [&] {
        return client.exchange(request).starts_with("HTTP/1.1 202 ") &&
               get(settings.replica_port, "/recon/doubts").value_or("").find("unsigned") !=
                   std::string::npos;
    };
    BOOST_TEST(loopback::eventually(doubted));
    changed.require_secret = true;
    renew(changed, Log(logger));
    std::string last;
    BOOST_TEST(loopback::eventually([&] {
        last = client.exchange(request); // never without an answer
        return !last.starts_with("HTTP/1.1 202 ");
    }));
    BOOST_TEST(last.starts_with("HTTP/1.1 401 "), last);
    end();
}

// ---- What it makes.

BOOST_FIXTURE_TEST_CASE(a_push_and_an_rsync_that_fail_are_told_apart_by_what_they_say, Node) {
    struct Source {
        struct Image {
            [[nodiscard]] static std::int64_t size() { return 7; }
            [[nodiscard]] static std::string read(std::int64_t /*offset*/, std::size_t /*count*/) {
                return "content";
            }
        };
        [[nodiscard]] static std::string path() { return "/dev/null"; }
        void copy_to(const std::string& /*path*/, Instant /*deadline*/) const {}
        [[nodiscard]] static Image snapshot(Instant /*deadline*/) { return {}; }
    } source;
    Device peer;
    peer.replication_ip = "127.0.0.1";
    peer.replication_port = static_cast<std::uint16_t>(there.port());
    peer.device = "sda";
    const Upload upload{peer, "id", false, true};
    const auto deadline = SystemClock().monotonic() + 10s;
    PushFileSync push(daemon::detail::make_transport(settings, "container", {}), settings);
    const auto pushed = push.send(source, upload, deadline, {});
    BOOST_REQUIRE(!pushed);
    BOOST_TEST((pushed.error().code == Error::transfer_failed));
    BOOST_TEST(word_for(Error::transfer_failed, pushed.error().what) == "push");
    const auto rsynced =
        RsyncFileSync(settings, "container", "/bin/false").send(source, upload, deadline, {});
    BOOST_REQUIRE(!rsynced);
    BOOST_TEST((rsynced.error().code == Error::transfer_failed));
    BOOST_TEST(word_for(Error::transfer_failed, rsynced.error().what) == "rsync");
}

// ---- What keeps it from starting, told before it is up.

BOOST_FIXTURE_TEST_CASE(a_port_in_use_is_named, Node) {
    loopback::ScriptedServer taken({});
    settings.replica_port = taken.port();
    BOOST_CHECK_EXCEPTION((void)run(), Failure, [&](const Failure& failure) {
        return failure.error() == Error::bad_config &&
               std::string(failure.what())
                   .starts_with("replica_port = " + std::to_string(taken.port()) +
                                " cannot be served on bind_ip: 127.0.0.1:" +
                                std::to_string(taken.port()) + ": ");
    });
    BOOST_TEST(ups == 0);
}

BOOST_FIXTURE_TEST_CASE(a_ring_that_cannot_be_used_is_named_in_each_way, Node) {
    const std::string database = create();
    const std::string good = settings.ring;
    for (const std::string& ring : {directory.path("none.json"), directory.file("bad.json", "{}"),
                                    directory.file("bad.gz", "no gzip")}) {
        settings.ring = ring;
        for (const bool once : {true, false}) {
            for (const std::string& explain : {std::string(), database}) {
                arguments.once = once;
                arguments.explain = explain;
                BOOST_CHECK_EXCEPTION((void)run(), Failure, [&](const Failure& failure) {
                    return std::string(failure.what()).find(ring) != std::string::npos;
                });
            }
        }
    }
    BOOST_TEST(ups == 0);
}

BOOST_FIXTURE_TEST_CASE(settings_that_would_make_a_pass_lie_are_refused, Node) {
    settings.per_diff = 0;
    BOOST_CHECK_EXCEPTION((void)run(), Failure, [](const Failure& failure) {
        return failure.error() == Error::bad_config;
    });
    BOOST_TEST(ups == 0);
}

BOOST_FIXTURE_TEST_CASE(a_file_of_secrets_that_cannot_be_used_is_named_in_each_way, Node) {
    const std::string database = create();
    settings.shared_secret_file = directory.file("secret", "a secret that everybody may read");
    fs::permissions(settings.shared_secret_file, fs::perms{0644});
    for (const bool once : {true, false}) {
        for (const std::string& explain : {std::string(), database}) {
            arguments.once = once;
            arguments.explain = explain;
            BOOST_CHECK_EXCEPTION((void)run(), Failure, [&](const Failure& failure) {
                return failure.error() == Error::bad_config &&
                       std::string(failure.what()).starts_with(settings.shared_secret_file + ": ");
            });
        }
    }
    BOOST_TEST(ups == 0);
}

// ---- Serving.

BOOST_FIXTURE_TEST_CASE(two_disks_that_hang_leave_room_for_a_healthy_one_and_for_pages, Node) {
    // A lock that does not come free holds a request up for 25 s: long enough for a disk that
    // hangs.
    const std::string path = create();
    const std::string below = path.substr(directory.path("srv/sda").size());
    for (const char* device : {"sdb", "sdc"}) {
        fs::copy(directory.path("srv/sda"), directory.path("srv/") + device,
                 fs::copy_options::recursive);
    }
    auto broker = daemon::detail::make_broker<ContainerBroker>(settings);
    auto b = broker.open(directory.path("srv/sdb") + below, Instant::max());
    auto c = broker.open(directory.path("srv/sdc") + below, Instant::max());
    auto lock_of_b = std::make_optional(b.exclusive(Instant::max()));
    auto lock_of_c = std::make_optional(c.exclusive(Instant::max()));

    settings.replica_port = served.port();
    const daemon::Receiver<ContainerBroker> receiver(settings, Log(logger), ring(), facts());
    const std::string body = R"(["merge_syncs", [{"sync_point": 3, "remote_id": "x"}]])";
    const std::string place = below.substr(std::string("/containers").size());
    const std::string partition = place.substr(1, place.find('/', 1) - 1);
    const std::string hash = HashPath{"", "changeme"}("/a/c");
    const auto request = [&](const std::string& device) {
        return loopback::request_text(body, {}, '/' + device + '/' + partition + '/' + hash);
    };
    std::list<loopback::RawClient> hung;
    for (int count = 0; count < 80; ++count) {
        hung.emplace_back(static_cast<std::uint16_t>(settings.replica_port))
            .send(request(count % 2 == 0 ? "sdb" : "sdc"));
    }
    const auto refused = [&] {
        return std::ranges::count_if(
            hung, [](loopback::RawClient& client) { return client.socket.available() > 0; });
    };
    BOOST_TEST(loopback::eventually([&] { return refused() >= 16; }));
    loopback::RawClient client(static_cast<std::uint16_t>(settings.replica_port));
    const std::string healthy = client.exchange(request("sda"));
    BOOST_TEST(healthy.starts_with("HTTP/1.1 202 "), healthy);
    const auto page = get(settings.replica_port, "/healthcheck");
    BOOST_TEST(page.value_or("none").ends_with("OK"), page.value_or("none"));
    lock_of_b.reset();
    lock_of_c.reset();
}

BOOST_FIXTURE_TEST_CASE(with_a_secret_a_request_that_is_not_signed_touches_nothing, Node) {
    const std::string path = create();
    const std::string place = path.substr(directory.path("srv/sda/containers").size());
    const std::string partition = place.substr(1, place.find('/', 1) - 1);
    const std::string hash = HashPath{"", "changeme"}("/a/c");
    settings.replica_port = served.port();
    const auto port = static_cast<std::uint16_t>(settings.replica_port);
    const std::string secret = "a secret of this cluster";
    const Request request{"sda", partition, hash,
                          R"(["merge_syncs", [{"sync_point": 3, "remote_id": "x"}]])", true};
    const auto status = [&](const std::string& by) {
        BeastOptions options;
        options.secret = by;
        BeastTransport transport(options);
        const auto reply =
            transport.peer(loopback::device_at(port)).send(request, loopback::in(30), {});
        return reply ? reply->status : 0;
    };
    const auto point = [&] {
        auto broker = daemon::detail::make_broker<ContainerBroker>(settings);
        return broker.open(path, Instant::max()).sync_point("x", Direction::incoming);
    };
    {
        const daemon::Receiver<ContainerBroker> receiver(settings, Log(logger), ring(), facts(),
                                                         {secret});
        BOOST_TEST(status({}) == 401);
        BOOST_TEST(status("a secret of another one") == 401);
        BOOST_TEST(point() == -1);
        BOOST_TEST(status(secret) == 202);
        BOOST_TEST(point() == 3);
        BOOST_TEST(get(port, "/healthcheck").value_or("none").ends_with("OK"));
        BOOST_TEST(logs("warning: REPLICATE of 127.0.0.1 is refused: the request is not signed"));
        BOOST_TEST(get(port, "/recon/doubts")
                       .value_or("none")
                       .ends_with(R"({"refused.unsigned": 1, "refused.wrong": 1})"));
    }
    settings.require_secret = false;
    const daemon::Receiver<ContainerBroker> lenient(settings, Log(logger), ring(), facts(),
                                                    {secret});
    BOOST_TEST(status({}) == 202);
    BOOST_TEST(logs("warning: REPLICATE of 127.0.0.1 is served all the same: "
                    "the request is not signed"));
}

BOOST_FIXTURE_TEST_CASE(a_node_that_the_ring_does_not_know_is_told_and_refused_if_so_wished, Node) {
    settings.replica_port = served.port();
    const auto reply_to = [&](const char* from) {
        boost::asio::io_context io;
        loopback::Tcp::socket socket(io);
        socket.open(loopback::Tcp::v4());
        socket.bind({boost::asio::ip::make_address(from), 0});
        socket.connect(loopback::endpoint(static_cast<std::uint16_t>(settings.replica_port)));
        BOOST_TEST(loopback::send(socket, loopback::request_text("[]")));
        return loopback::receive_message(socket);
    };
    for (const bool refuse : {false, true}) {
        settings.refuse_unknown_addresses = refuse;
        const daemon::Receiver<ContainerBroker> receiver(settings, Log(logger), ring(), facts());
        BOOST_TEST(reply_to("127.0.0.1").starts_with("HTTP/1.1 400 "));
        const std::string reply = reply_to("127.0.0.9"); // of no device, and of no interface
        BOOST_TEST(reply.starts_with(refuse ? "HTTP/1.1 403 " : "HTTP/1.1 400 "), reply);
        BOOST_TEST(logs(refuse ? "warning: REPLICATE of 127.0.0.9 is refused: no device"
                               : "warning: REPLICATE of 127.0.0.9 is served all the same: no"));
    }
    BOOST_TEST(!logs("REPLICATE of 127.0.0.1"));
}

// ---- Its parts.

BOOST_FIXTURE_TEST_CASE(a_device_is_ours_by_its_address_and_the_port_we_stand_for, Node) {
    const auto is_local = daemon::detail::is_local_by(settings);
    const auto at = [](const std::string& ip, std::uint16_t port) {
        return loopback::device_at(port, ip);
    };
    const auto port = static_cast<std::uint16_t>(settings.bind_port);
    BOOST_TEST(is_local(at("127.0.0.1", port)));
    BOOST_TEST(!is_local(at("127.0.0.1", there.port())));
    BOOST_TEST(!is_local(at("192.0.2.1", port)));
    settings.bind_ip = "0.0.0.0";
    BOOST_TEST(daemon::detail::is_local_by(settings)(at("127.0.0.1", port)));
    settings.bind_ip = "192.0.2.1"; // not an address of this machine
    BOOST_TEST(!daemon::detail::is_local_by(settings)(at("127.0.0.1", port)));
}

BOOST_FIXTURE_TEST_CASE(databases_grow_by_a_megabyte_at_a_time_if_that_is_wished, Node) {
    const std::string path = create();
    for (const bool wished : {false, true}) {
        settings.db_preallocation = wished;
        auto broker = daemon::detail::make_broker<ContainerBroker>(settings);
        std::vector<ObjectRow> rows(100);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            rows[i].name = std::string(200, wished ? 'b' : 'a') + std::to_string(i);
            rows[i].created_at = "1700000000.00000";
        }
        broker.open(path, Instant::max()).merge_items(rows, {});
        BOOST_TEST((fs::file_size(path) >= 1U << 20) == wished);
    }
}

BOOST_AUTO_TEST_CASE(progress_is_shown_at_a_terminal_by_one_pass_that_says_nothing_else) {
    const auto shown = [](const char* device, bool once, bool verbose) {
        return support::in_child([&] {
            const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
            ::grantpt(terminal);
            ::unlockpt(terminal);
            ::dup2(::open(device != nullptr ? device : ::ptsname(terminal), O_RDWR | O_NOCTTY),
                   STDERR_FILENO);
            Arguments arguments;
            arguments.once = once;
            arguments.verbose = verbose;
            return daemon::detail::progress_for(arguments) ? 1 : 0;
        });
    };
    BOOST_TEST(shown(nullptr, true, false) == 1);
    BOOST_TEST(shown(nullptr, true, true) == 0);
    BOOST_TEST(shown(nullptr, false, false) == 0);
    BOOST_TEST(shown("/dev/null", true, false) == 0);
}
