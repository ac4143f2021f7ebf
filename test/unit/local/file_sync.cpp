#include <replica/local/file_sync.hpp>

#define BOOST_TEST_MODULE local_file_sync
#include <replica/sim/clock.hpp>

#include <boost/test/unit_test.hpp>

#include <laws/file_sync.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace fs = std::filesystem;
using namespace replica;
using namespace std::chrono_literals;

namespace {

/// A file and how it is copied; `during` happens in the middle of a copy.
struct FileSource {
    std::string file;
    std::function<void()> during = [] {};

    [[nodiscard]] const std::string& path() const { return file; }
    void copy_to(const std::string& target, Instant /*deadline*/) const {
        std::ofstream(target) << "half of it";
        during();
        fs::copy_file(file, target, fs::copy_options::overwrite_existing);
    }
};

struct World {
    World() {
        std::string pattern = (fs::temp_directory_path() / "replica-local-XXXXXX").string();
        BOOST_REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        root = pattern;
        fs::create_directories(root + "/node/sdb1");
    }
    ~World() { fs::remove_all(root); }
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    [[nodiscard]] static Device named(std::string name) {
        Device device;
        device.device = std::move(name);
        return device;
    }
    [[nodiscard]] Device device() const { return named("sdb1"); }
    [[nodiscard]] Device out_of_reach() const { return named("sdz9"); }
    [[nodiscard]] Instant now() const { return clock.monotonic(); }
    [[nodiscard]] FileSource source(const std::string& content) {
        const std::string file = root + "/source-" + std::to_string(++sources);
        std::ofstream(file, std::ios::binary) << content;
        return {file};
    }
    [[nodiscard]] FileSource missing() const { return {root + "/none"}; }
    [[nodiscard]] std::vector<std::string> names() const {
        std::vector<std::string> found;
        if (fs::exists(tmp())) {
            for (const auto& entry : fs::directory_iterator(tmp())) {
                found.push_back(entry.path().filename());
            }
        }
        std::ranges::sort(found);
        return found;
    }
    [[nodiscard]] std::string content(const std::string& name) const {
        std::ostringstream text;
        text << std::ifstream(tmp() + "/" + name, std::ios::binary).rdbuf();
        return text.str();
    }
    [[nodiscard]] std::string tmp() const { return root + "/node/sdb1/tmp"; }

    SimClock clock;
    std::string root;
    int sources = 0;
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(local, World)

BOOST_AUTO_TEST_CASE(the_laws_of_file_sync_hold) {
    replica::test::check_file_sync_laws(LocalFileSync(root + "/node", clock), *this);
}

BOOST_AUTO_TEST_CASE(the_machines_own_clock_is_the_default) {
    LocalFileSync files(root + "/node");
    auto one = source("one");
    const auto sent =
        files.send(one, Upload{device(), "a", false, true}, SystemClock().monotonic() + 30s, {});
    BOOST_TEST(sent.has_value());
    BOOST_TEST(content("a") == "one");
}

BOOST_AUTO_TEST_CASE(each_node_may_have_a_root_of_its_own) {
    fs::create_directories(root + "/other/sdb1");
    const LocalFileSync files(
        [this](const Device& target) {
            return target.ip == "127.0.0.2" ? root + "/other"
                                            : (target.ip.empty() ? root + "/node" : "");
        },
        clock);
    auto one = source("one");
    Device other = device();
    other.ip = "127.0.0.2";
    BOOST_TEST(files.send(one, Upload{other, "a", false, true}, now() + 1s, {}).has_value());
    BOOST_TEST(fs::exists(root + "/other/sdb1/tmp/a"));
    BOOST_TEST(names().empty());
    other.ip = "127.0.0.3";
    const auto sent = files.send(one, Upload{other, "a", false, true}, now() + 1s, {});
    BOOST_TEST((sent.error().code == Error::not_mounted));
    BOOST_TEST(sent.error().what.find("sdb1/tmp/a: not a device of this machine") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_device_that_is_gone_is_not_made) {
    auto one = source("one");
    const LocalFileSync files(root + "/node", clock);
    const auto sent = files.send(one, Upload{out_of_reach(), "a", false, true}, now() + 1s, {});
    BOOST_TEST((sent.error().code == Error::not_mounted));
    BOOST_TEST(!fs::exists(root + "/node/sdz9"));
    const auto unsafe = files.send(one, Upload{named(".."), "a", false, true}, now() + 1s, {});
    BOOST_TEST((unsafe.error().code == Error::bad_name));
}

BOOST_AUTO_TEST_CASE(a_copy_that_took_too_long_or_was_stopped_leaves_nothing) {
    const LocalFileSync files(root + "/node", clock);
    std::stop_source stop;
    auto one = source("one");
    one.during = [&] {
        BOOST_TEST(names().size() == 1U); // under another name for now
        BOOST_TEST(names()[0] != "a");
        clock.sleep_until(now() + 2s, {});
    };
    const auto late = files.send(one, Upload{device(), "a", false, true}, now() + 1s, {});
    BOOST_TEST((late.error().code == Error::timed_out));
    BOOST_TEST(names().empty());
    one.during = [&] { stop.request_stop(); };
    const auto stopped =
        files.send(one, Upload{device(), "a", false, true}, now() + 1s, stop.get_token());
    BOOST_TEST((stopped.error().code == Error::stopped));
    BOOST_TEST(names().empty());
}

BOOST_AUTO_TEST_CASE(what_a_copy_throws_becomes_the_fault_and_the_old_file_stays) {
    const LocalFileSync files(root + "/node", clock);
    auto one = source("one");
    const Upload upload{device(), "a", false, true};
    BOOST_REQUIRE(files.send(one, upload, now() + 1s, {}).has_value());
    one.during = [] { throw Failure(Error::no_space, "cannot write x: No space left on device"); };
    const auto full = files.send(one, upload, now() + 1s, {});
    BOOST_TEST((full.error().code == Error::no_space));
    BOOST_TEST(full.error().what.find("sdb1/tmp/a: cannot write x") != std::string::npos);
    one.during = [] { throw std::runtime_error("something else"); };
    const auto other = files.send(one, upload, now() + 1s, {});
    BOOST_TEST((other.error().code == Error::io));
    BOOST_TEST(other.error().what.find("something else") != std::string::npos);
    BOOST_TEST(names() == std::vector<std::string>{"a"}, boost::test_tools::per_element());
    BOOST_TEST(content("a") == "one");
}

BOOST_AUTO_TEST_CASE(a_source_that_copies_nothing_is_a_fault) {
    AnySource nothing;
    const LocalFileSync files(root + "/node", clock);
    const auto sent = files.send(nothing, Upload{device(), "a", false, true}, now() + 1s, {});
    BOOST_TEST((sent.error().code == Error::missing));
    BOOST_TEST(names().empty());
}

BOOST_AUTO_TEST_SUITE_END()
