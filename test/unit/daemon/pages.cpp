#include <replica/daemon/pages.hpp>

#define BOOST_TEST_MODULE daemon_pages
#include <replica/sim/clock.hpp>
#include <replica/sim/disk.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <thread>

using namespace replica;

namespace {

daemon::DaemonSettings node_settings() {
    daemon::DaemonSettings settings;
    settings.devices = "/srv/node";
    settings.swift_dir = "/opt/swift";
    settings.recon_cache_path = "/var/cache/swift";
    return settings;
}

struct Node {
    Node() {
        for (const char* path : {"/srv/node", "/opt/swift", "/var/cache/swift"}) {
            disk.make_directories(path);
        }
    }

    std::string get(std::string_view path, int status = 200) {
        const Reply reply = pages(path);
        BOOST_TEST(reply.status == status, path);
        BOOST_TEST(reply.content_type == (status == 200 ? "application/json" : "text/plain"));
        return reply.body;
    }

    SimClock clock;
    SimDisk disk{clock};
    daemon::Pages<SimDisk, SimClock> pages{node_settings(), disk, clock};
};

} // namespace

BOOST_AUTO_TEST_CASE(a_load_balancer_is_told_that_all_is_well) {
    Node node;
    const Reply reply = node.pages("/healthcheck");
    BOOST_TEST(reply.status == 200);
    BOOST_TEST(reply.content_type == "text/plain");
    BOOST_TEST(reply.body == "OK");
}

BOOST_AUTO_TEST_CASE(whoever_counts_doubted_requests_has_a_page_for_them) {
    Node node;
    BOOST_TEST(node.get("/recon/doubts", 404) == "Invalid path: /recon/doubts");
    std::map<std::string, std::uint64_t> counts;
    daemon::Pages<SimDisk, SimClock> pages(node_settings(), node.disk, node.clock,
                                           [&] { return counts; });
    BOOST_TEST(pages("/recon/doubts").body == "{}");
    counts = {{"refused.wrong", 1}, {"doubted.stranger", 18446744073709551615U}};
    const Reply reply = pages("/recon/doubts");
    BOOST_TEST(reply.status == 200);
    BOOST_TEST(reply.content_type == "application/json");
    BOOST_TEST(reply.body == R"({"doubted.stranger": 18446744073709551615, "refused.wrong": 1})");
}

BOOST_AUTO_TEST_CASE(whoever_knows_facts_shows_them_without_looking_at_a_disk) {
    Node node;
    BOOST_TEST(node.get("/metrics", 404) == "Invalid path: /metrics");
    int asked = 0;
    int calls = 0;
    node.disk.on_call([&](SimCall, const std::string&) { ++calls; });
    daemon::Pages<SimDisk, SimClock> pages(node_settings(), node.disk, node.clock, {}, [&] {
        daemon::FactsNow facts;
        facts.passes = static_cast<std::uint64_t>(++asked);
        return facts;
    });
    const Reply reply = pages("/metrics");
    BOOST_TEST(reply.status == 200);
    BOOST_TEST(reply.content_type.starts_with("application/openmetrics-text; version=1.0.0"));
    BOOST_TEST(reply.body.find("\nreplica_passes_total 1\n") != std::string::npos);
    BOOST_TEST(reply.body.ends_with("# EOF\n"));
    const Reply older = pages("/metrics.txt");
    BOOST_TEST(older.content_type.starts_with("text/plain; version=0.0.4"));
    BOOST_TEST(older.body.find("\nreplica_passes_total 2\n") != std::string::npos);
    BOOST_TEST(pages("/metrics/").status == 404);
    BOOST_TEST(calls == 0);
}

BOOST_AUTO_TEST_CASE(what_is_no_page_is_a_404_that_names_it) {
    Node node;
    for (const std::string path :
         {"", "/", "/recon", "/recon/", "/recon/replication", "/recon/replication/object",
          "/recon/version/x", "/recon/../healthcheck", "/healthcheck/", "/sda/1/a/c"}) {
        BOOST_TEST(node.get(path, 404) == "Invalid path: " + path);
    }
}

BOOST_AUTO_TEST_CASE(figures_of_the_last_pass_come_from_the_recon_file) {
    Node node;
    node.disk.write("/var/cache/swift/container.recon",
                    R"({"replication_time": 1.5, "replication_last": 1700000000.25,
                        "replication_stats": {"success": 3, "attempted": 4, "failure": 1},
                        "container_audits_passed": 7, "sharding_time": 2.0})");
    BOOST_TEST(node.get("/recon/replication/container") ==
               R"({"replication_last": 1700000000.25, "replication_stats": {"attempted": 4, )"
               R"("failure": 1, "success": 3}, "replication_time": 1.5})");
    BOOST_TEST(node.get("/recon/auditor/container") ==
               R"({"container_auditor_pass_completed": null, "container_audits_failed": null, )"
               R"("container_audits_passed": 7, "container_audits_since": null})");
    BOOST_TEST(node.get("/recon/updater/container") == R"({"container_updater_sweep": null})");
    BOOST_TEST(node.get("/recon/sharding") ==
               R"({"sharding_last": null, "sharding_stats": null, "sharding_time": 2.0})");
}

BOOST_AUTO_TEST_CASE(before_the_first_pass_and_after_a_crash_of_the_file_all_is_null) {
    Node node;
    const std::string nothing =
        R"({"replication_last": null, "replication_stats": null, "replication_time": null})";
    BOOST_TEST(node.get("/recon/replication/account") == nothing);
    for (const std::string content : {"", "{", "[]", "\"replication_time\""}) {
        node.disk.write("/var/cache/swift/account.recon", content);
        BOOST_TEST(node.get("/recon/replication/account") == nothing, content);
    }
}

BOOST_AUTO_TEST_CASE(the_time_is_that_of_the_node) {
    Node node;
    node.clock.advance(Seconds(0.25));
    const auto ticks = node.clock.now().ticks;
    BOOST_TEST(std::stod(node.get("/recon/time")) == static_cast<double>(ticks) / 1e5);
    BOOST_TEST(node.get("/recon/version") == R"({"version": ")" + version_text() + "\"}");
}

BOOST_AUTO_TEST_CASE(files_that_nodes_share_are_compared_by_their_md5) {
    Node node;
    BOOST_TEST(node.get("/recon/ringmd5") == "{}");
    BOOST_TEST(node.get("/recon/swiftconfmd5") == R"({"/etc/swift/swift.conf": null})");
    node.disk.write("/opt/swift/container.ring.gz", std::string(100'000, 'r'));
    node.disk.write("/opt/swift/swift.conf", "");
    BOOST_TEST(node.get("/recon/ringmd5") == R"({"/opt/swift/container.ring.gz": ")" +
                                                 to_hex(md5(std::string(100'000, 'r'))) + "\"}");
    BOOST_TEST(node.get("/recon/swiftconfmd5") ==
               R"({"/etc/swift/swift.conf": "d41d8cd98f00b204e9800998ecf8427e"})");
}

BOOST_AUTO_TEST_CASE(each_device_is_listed_with_what_is_known_of_it) {
    Node node;
    node.disk.make_directories("/srv/node/out");
    node.disk.make_directories("/srv/node/sdb");
    node.disk.write("/srv/node/file", "no device");
    node.disk.mount("/srv/node/sda", 1000);
    node.disk.write("/srv/node/sda/x", std::string(400, 'x'));
    node.disk.mount("/srv/node/sdb");
    node.disk.fail_next(SimCall::is_mount, "/sdb", Error::io, 0);
    const std::string error = R"({"device": "sdb", "mounted": ")";
    const std::string unmounted = node.get("/recon/unmounted");
    BOOST_TEST(unmounted.starts_with(R"([{"device": "out", "mounted": false}, )" + error),
               unmounted);
    BOOST_TEST(unmounted.find("sda") == std::string::npos);
    const std::string usage = node.get("/recon/diskusage");
    BOOST_TEST(
        usage.starts_with(
            R"([{"avail": "", "device": "out", "mounted": false, "size": "", "used": ""}, )"
            R"({"avail": 600, "device": "sda", "mounted": true, "size": 1000, "used": 400}, )"
            R"({"avail": "", "device": "sdb", "mounted": ")"),
        usage);
}

BOOST_AUTO_TEST_CASE(a_disk_that_hangs_holds_up_one_request_and_no_more) {
    Node node;
    node.disk.mount("/srv/node/sda");
    int calls = 0;
    node.disk.on_call([&](SimCall call, const std::string&) {
        if (call == SimCall::is_mount && ++calls == 1) {
            std::thread([&] {
                BOOST_TEST(node.get("/recon/diskusage", 503).starts_with("The disks have not"));
                BOOST_TEST(node.get("/recon/version").starts_with("{")); // needs no disk
            }).join();
        }
    });
    BOOST_TEST(node.get("/recon/unmounted") == "[]");
    BOOST_TEST(calls == 1);
    BOOST_TEST(node.get("/recon/diskusage").find("sda") != std::string::npos);
}
