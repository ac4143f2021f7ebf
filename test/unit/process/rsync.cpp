#include <replica/process/rsync.hpp>

#define BOOST_TEST_MODULE process_rsync
#include <boost/test/unit_test.hpp>

#include <arpa/inet.h>
#include <laws/file_sync.hpp>
#include <netinet/in.h>
#include <support/rsync_daemon.hpp>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>

namespace fs = std::filesystem;
using namespace replica;
using namespace std::chrono_literals;

namespace {

std::string content_of(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

struct FileSource {
    std::string file;

    [[nodiscard]] const std::string& path() const { return file; }
    void copy_to(const std::string& target, Instant /*deadline*/) const {
        fs::copy_file(file, target);
    }
};

struct Fixture {
    Fixture() {
        std::string pattern = (fs::temp_directory_path() / "replica-rsync-XXXXXX").string();
        BOOST_REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        root = pattern;
        std::ofstream(root + "/source.db") << "content";
        target.device = "sdb3";
        target.ip = "192.0.2.1"; // must not be used
        target.replication_ip = "127.0.0.3";
        target.replication_port = 6231;
        source.file = root + "/source.db";
    }
    ~Fixture() {
        BOOST_CHECK(::waitpid(-1, nullptr, WNOHANG) == -1); // nothing is left behind
        fs::remove_all(root);
    }
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;

    /// A program in place of rsync that notes its arguments, one a line, and then does `body`.
    std::string fake(const std::string& body) const {
        const std::string path = root + "/bin/rsync";
        fs::create_directories(root + "/bin");
        std::ofstream(path) << "#!/bin/sh\nfor a; do echo \"$a\"; done >" << root << "/arguments\n"
                            << body << '\n';
        fs::permissions(path, fs::perms::owner_all);
        return path;
    }

    [[nodiscard]] static Instant later() { return SystemClock().monotonic() + 30s; }

    /// What a fake that does `body` makes of a transfer.
    Result<Sent> send(const std::string& body, Instant deadline = later(),
                      const std::stop_token& stop = {}) {
        return RsyncFileSync(settings, "container", fake(body))
            .send(source, upload(), deadline, stop);
    }

    [[nodiscard]] Upload upload() const { return {target, "d6ccbbd7-sdb1", false, true}; }

    std::string root;
    Settings settings;
    Device target;
    FileSource source;
};

/// Both ends of the real thing.
struct World : Fixture {
    World()
        : daemon((fs::create_directories(root + "/node/sdb3/tmp"), root), "container",
                 root + "/node") {
        settings.rsync_module = "rsync://{replication_ip}:{replication_port}/container/";
        target.replication_ip = "127.0.0.1";
        target.replication_port = daemon.port();
    }

    [[nodiscard]] Device device() const { return target; }
    [[nodiscard]] Device out_of_reach() const {
        Device other = target;
        other.device = "sdz9"; // the module has no such directory
        return other;
    }
    [[nodiscard]] static Instant now() { return SystemClock().monotonic(); }
    [[nodiscard]] FileSource source_of(const std::string& content) {
        const std::string file = root + "/source-" + std::to_string(++sources);
        std::ofstream(file, std::ios::binary) << content;
        return {file};
    }
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> found;
        for (const auto& entry : fs::directory_iterator(root + "/node/sdb3/tmp")) {
            found.push_back(entry.path().filename());
        }
        std::ranges::sort(found);
        return found;
    }
    [[nodiscard]] std::string content(const std::string& name) const {
        return content_of(root + "/node/sdb3/tmp/" + name);
    }

    test::RsyncDaemon daemon;
    int sources = 0;
};

/// The names that the laws use.
struct LawWorld {
    World& world;
    [[nodiscard]] Device device() const { return world.device(); }
    [[nodiscard]] Device out_of_reach() const { return world.out_of_reach(); }
    [[nodiscard]] Instant now() const { return World::now(); }
    [[nodiscard]] FileSource source(const std::string& content) { return world.source_of(content); }
    [[nodiscard]] FileSource missing() const { return {world.root + "/none"}; }
    [[nodiscard]] std::vector<std::string> names() const { return world.names(); }
    [[nodiscard]] std::string content(const std::string& name) const { return world.content(name); }
};

using Strings = std::vector<std::string>;

} // namespace

BOOST_FIXTURE_TEST_SUITE(arguments, Fixture)

BOOST_AUTO_TEST_CASE(they_are_those_of_a_stock_replicator_and_ignore_times) {
    settings.rsync_module = "{replication_ip}::container{replication_port}";
    const RsyncFileSync files(settings, "container", "rsync");
    const Strings expected{"--quiet",      "--no-motd",
                           "--timeout=10", "--contimeout=1",
                           "--whole-file", "--ignore-times",
                           source.file,    "127.0.0.3::container6231/sdb3/tmp/d6ccbbd7-sdb1"};
    BOOST_TEST(files.arguments(source.file, upload()) == expected,
               boost::test_tools::per_element());
    Upload delta = upload();
    delta.whole_file = false;
    Strings without = expected;
    without.erase(without.begin() + 4);
    BOOST_TEST(files.arguments(source.file, delta) == without, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(without_a_module_it_is_that_of_the_server) {
    const auto last = [&](const char* server) {
        return RsyncFileSync(settings, server).arguments(source.file, upload()).back();
    };
    BOOST_TEST(last("account") == "127.0.0.3::account/sdb3/tmp/d6ccbbd7-sdb1");
    target.replication_ip = "fe80::7";
    BOOST_TEST(last("container") == "[fe80::7]::container/sdb3/tmp/d6ccbbd7-sdb1");
}

BOOST_AUTO_TEST_CASE(compression_needs_both_the_setting_and_another_region) {
    for (const bool configured : {false, true}) {
        for (const bool different : {false, true}) {
            settings.rsync_compress = configured;
            Upload one = upload();
            one.different_region = different;
            const Strings list = RsyncFileSync(settings, "account").arguments(source.file, one);
            BOOST_TEST(std::ranges::count(list, "--compress") == (configured && different ? 1 : 0));
            BOOST_TEST(list[list.size() - 2] == source.file);
        }
    }
}

BOOST_AUTO_TEST_CASE(timeouts_are_rounded_up_to_whole_seconds) {
    settings.node_timeout = Seconds(10.01);
    settings.conn_timeout = Seconds(2);
    const Strings list = RsyncFileSync(settings, "account").arguments(source.file, upload());
    BOOST_TEST(list[2] == "--timeout=11");
    BOOST_TEST(list[3] == "--contimeout=2");
    settings.node_timeout = Seconds(1e300);
    settings.conn_timeout = Seconds(-1);
    const Strings bounds = RsyncFileSync(settings, "account").arguments(source.file, upload());
    BOOST_TEST(bounds[2] == "--timeout=1000000000");
    BOOST_TEST(bounds[3] == "--contimeout=0");
}

BOOST_AUTO_TEST_CASE(a_module_with_an_unknown_field_is_an_error_at_start) {
    settings.rsync_module = "{replication_ip}::{server}";
    BOOST_CHECK_EXCEPTION(RsyncFileSync(settings, "account"), Failure, [](const Failure& failure) {
        return failure.error() == Error::bad_config &&
               std::string(failure.what()).find("{server}") != std::string::npos;
    });
}

BOOST_AUTO_TEST_CASE(what_rsync_would_misread_is_refused_before_it_runs) {
    settings.rsync_module = "{meta}";
    target.meta = "-e sh";
    BOOST_TEST((send("exit 0").error().code == Error::bad_name));
    target.meta = std::string("h::m\0", 5);
    BOOST_TEST((send("exit 0").error().code == Error::bad_name));
    target.meta = "h::m";
    source.file = "relative.db";
    BOOST_TEST((send("exit 0").error().code == Error::bad_name));
    source.file = "host:/etc/passwd";
    BOOST_TEST((send("exit 0").error().code == Error::bad_name));
    BOOST_TEST(!fs::exists(root + "/arguments")); // none of them was run
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(program, Fixture)

BOOST_AUTO_TEST_CASE(a_transfer_that_succeeds_tells_the_size) {
    const auto sent = send("exit 0");
    BOOST_REQUIRE(sent.has_value());
    BOOST_TEST(sent->bytes == 7);
    BOOST_TEST(content_of(root + "/arguments") ==
               "--quiet\n--no-motd\n--timeout=10\n--contimeout=1\n--whole-file\n--ignore-times\n" +
                   source.file + "\n127.0.0.3::container/sdb3/tmp/d6ccbbd7-sdb1\n");
}

BOOST_AUTO_TEST_CASE(a_failure_tells_code_message_target_and_arguments) {
    const auto sent = send("echo '@ERROR: max connections (2) reached' >&2; exit 5");
    BOOST_REQUIRE(sent.has_error());
    BOOST_TEST((sent.error().code == Error::transfer_failed));
    BOOST_TEST(sent.error().what ==
               "rsync to 127.0.0.3::container/sdb3/tmp/d6ccbbd7-sdb1: exit code 5: "
               "@ERROR: max connections (2) reached [" +
                   root +
                   "/bin/rsync --quiet --no-motd --timeout=10 --contimeout=1 --whole-file "
                   "--ignore-times " +
                   source.file + " 127.0.0.3::container/sdb3/tmp/d6ccbbd7-sdb1]");
    BOOST_TEST(send("exit 12").error().what.find("exit code 12: no message [") !=
               std::string::npos);
    BOOST_TEST(send("kill -9 $$").error().what.find("killed by signal 9: no message [") !=
               std::string::npos);
    BOOST_TEST((send("exit 30").error().code == Error::timed_out));
}

BOOST_AUTO_TEST_CASE(a_daemon_without_a_free_connection_is_tried_again_for_a_while) {
    const std::string busy = "echo '@ERROR: max connections (2) reached -- try again later' >&2; "
                             "exit 5";
    const std::string count = "echo >>" + root + "/tries; ";
    const auto tries = [&] {
        const std::string text = content_of(root + "/tries");
        fs::remove(root + "/tries");
        return std::ranges::count(text, '\n');
    };
    BOOST_TEST(send(count + "[ $(wc -l <" + root + "/tries) = 3 ] && exit 0; " + busy).has_value());
    BOOST_TEST(tries() == 3);
    const auto refused = send(count + busy);
    BOOST_TEST((refused.error().code == Error::transfer_failed));
    BOOST_TEST(refused.error().what.find("max connections (2)") != std::string::npos);
    BOOST_TEST(tries() == 5);
    BOOST_TEST(!send(count + busy, SystemClock().monotonic() + 200ms).has_value());
    BOOST_TEST(tries() <= 1); // on a busy machine not even the first one
    BOOST_TEST(!send(count + "echo 'auth failed' >&2; exit 5").has_value());
    BOOST_TEST(tries() == 1);
    BOOST_REQUIRE(::mkfifo((root + "/fifo").c_str(), 0600) == 0);
    std::stop_source stop;
    auto running = std::async(std::launch::async, [&] {
        return send(count + "echo >" + root + "/fifo; " + busy, later(), stop.get_token());
    });
    BOOST_TEST(content_of(root + "/fifo") == "\n");
    stop.request_stop();
    BOOST_TEST((running.get().error().code == Error::stopped));
    BOOST_TEST(tries() == 1);
}

BOOST_AUTO_TEST_CASE(a_flood_of_messages_is_cut_and_made_one_line) {
    const auto sent =
        send("i=0; while [ $i -lt 20000 ]; do echo line; i=$((i+1)); done >&2; exit 1");
    BOOST_REQUIRE(sent.has_error());
    BOOST_TEST(sent.error().what.size() < 5000U);
    BOOST_TEST(sent.error().what.find("exit code 1: line line line") != std::string::npos);
    BOOST_TEST(sent.error().what.find('\n') == std::string::npos);
    const auto colours = send("printf '\\033[31mred\\r\\0x\\n' >&2; exit 1");
    BOOST_TEST(colours.error().what.find(": exit code 1:  [31mred  x [") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(it_ends_at_the_deadline_and_soon_after_a_stop) {
    const auto late = send("echo slow >&2; exec sleep 1000", SystemClock().monotonic() + 200ms);
    BOOST_REQUIRE(late.has_error());
    BOOST_TEST((late.error().code == Error::timed_out));
    BOOST_TEST(late.error().what.find("ended at the deadline: slow [") != std::string::npos);

    BOOST_REQUIRE(::mkfifo((root + "/fifo").c_str(), 0600) == 0);
    std::stop_source stop;
    auto running = std::async(std::launch::async, [&] {
        return send("echo $$ >" + root + "/fifo; exec sleep 1000", later(), stop.get_token());
    });
    const ::pid_t process = std::stoi(content_of(root + "/fifo"));
    stop.request_stop();
    const auto stopped = running.get();
    BOOST_TEST((stopped.error().code == Error::stopped));
    BOOST_TEST(::kill(process, 0) == -1);
}

BOOST_AUTO_TEST_CASE(a_passed_deadline_or_an_earlier_stop_runs_nothing) {
    std::stop_source stop;
    stop.request_stop();
    BOOST_TEST((send("exit 0", later(), stop.get_token()).error().code == Error::stopped));
    BOOST_TEST((send("exit 0", SystemClock().monotonic()).error().code == Error::timed_out));
    source.file += ".none";
    BOOST_TEST((send("exit 0").error().code == Error::missing));
    BOOST_TEST(!fs::exists(root + "/arguments"));
}

BOOST_AUTO_TEST_CASE(it_is_found_through_path_or_missed_there_by_name) {
    const std::string path = std::getenv("PATH");
    static_cast<void>(fake("exit 9"));
    ::setenv("PATH", (root + "/bin:" + path).c_str(), 1);
    const auto found = RsyncFileSync(settings, "account").send(source, upload(), later(), {});
    ::setenv("PATH", (root + "/none").c_str(), 1);
    const auto missed = RsyncFileSync(settings, "account").send(source, upload(), later(), {});
    ::setenv("PATH", path.c_str(), 1);
    BOOST_TEST(found.error().what.find("exit code 9") != std::string::npos);
    BOOST_TEST((missed.error().code == Error::io));
    BOOST_TEST(missed.error().what.find("no program rsync in PATH") != std::string::npos);
    const auto bad =
        RsyncFileSync(settings, "account", root + "/nothing").send(source, upload(), later(), {});
    BOOST_TEST((bad.error().code == Error::io));
    BOOST_TEST(bad.error().what.find(root + "/nothing") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(it_inherits_only_the_first_three_descriptors) {
    int pipe[2];
    BOOST_REQUIRE(::pipe(pipe) == 0); // without close-on-exec, as a careless host opens it
    const Descriptor reader(pipe[0]);
    const Descriptor writer(pipe[1]);
    const Descriptor lock(::open((root + "/.lock").c_str(), O_RDWR | O_CREAT, 0600));
    BOOST_REQUIRE(lock);
    const auto sent = send("exec ls -l /proc/self/fd >&2");
    BOOST_REQUIRE(sent.has_value());
    const auto listed = send("ls -l /proc/self/fd >&2; exit 1"); // a fault tells what was said
    BOOST_TEST_CONTEXT(listed.error().what) {
        BOOST_TEST(listed.error().what.find(" 2 -> pipe:") != std::string::npos);
        BOOST_TEST(listed.error().what.find(" 3 -> /proc/") != std::string::npos); // of ls itself
        BOOST_TEST(listed.error().what.find(" 4 -> ") == std::string::npos);
        BOOST_TEST(listed.error().what.find("/.lock") == std::string::npos);
    }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(real, World)

BOOST_AUTO_TEST_CASE(the_laws_of_file_sync_hold) {
    LawWorld world{*this};
    replica::test::check_file_sync_laws(RsyncFileSync(settings, "container"), world);
}

BOOST_AUTO_TEST_CASE(a_file_of_the_same_size_and_second_is_sent_all_the_same) {
    const RsyncFileSync files(settings, "container");
    const fs::path arrived = root + "/node/sdb3/tmp/" + upload().name;
    for (const bool whole_file : {true, false}) {
        Upload again = upload();
        again.whole_file = whole_file;
        std::ofstream(arrived) << "TORN!!!"; // as large as "content"
        fs::last_write_time(arrived, fs::last_write_time(source.file));
        BOOST_REQUIRE(files.send(source, again, later(), {}).has_value());
        BOOST_TEST(content_of(arrived) == "content");
    }
}

BOOST_AUTO_TEST_CASE(its_own_words_are_in_the_fault) {
    target.device = "sdz9";
    const auto sent = RsyncFileSync(settings, "container").send(source, upload(), later(), {});
    BOOST_REQUIRE(sent.has_error());
    BOOST_TEST((sent.error().code == Error::transfer_failed));
    BOOST_TEST(sent.error().what.find("No such file or directory") != std::string::npos);
    settings.rsync_module = "rsync://{replication_ip}:{replication_port}/nonesuch";
    const auto unknown = RsyncFileSync(settings, "container").send(source, upload(), later(), {});
    BOOST_TEST(unknown.error().what.find("Unknown module 'nonesuch'") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_daemon_that_says_nothing_is_given_up_after_the_timeouts) {
    const Descriptor silent(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ::sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<::sockaddr*>(&address);
    BOOST_REQUIRE(::bind(silent.get(), generic, size) == 0);
    BOOST_REQUIRE(::listen(silent.get(), 4) == 0);
    BOOST_REQUIRE(::getsockname(silent.get(), generic, &size) == 0);
    target.replication_port = ntohs(address.sin_port);
    settings.node_timeout = Seconds(1);
    const RsyncFileSync files(settings, "container");
    const auto inactive = files.send(source, upload(), later(), {});
    BOOST_REQUIRE(inactive.has_error());
    BOOST_TEST((inactive.error().code == Error::timed_out ||
                inactive.error().code == Error::transfer_failed));
    BOOST_TEST(inactive.error().what.find("exit code") != std::string::npos);
    const auto late = files.send(source, upload(), SystemClock().monotonic() + 100ms, {});
    BOOST_TEST((late.error().code == Error::timed_out));
    BOOST_TEST(late.error().what.find("ended at the deadline") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
